//! Blocks in a bucket as other programs leave and find them, and what is left of them when everything fails at every point.
#![expect(clippy::disallowed_methods, reason = "recorded files are looked up where PRONOIA_SHARED points")]

mod suite;
