//! The language as a user meets it: what is accepted and how it is printed, what is refused and with which words.

mod suite;
