//! The language as a user meets it: what is accepted and how it is printed, what is refused and with which words.
#![expect(clippy::disallowed_methods, reason = "scripts of others are looked up where PRONOIA_SHARED points")]

mod suite;
