//! One contract, run by every bucket that there is, and each layer's own promises.
#![expect(clippy::disallowed_methods, reason = "tests lay out folders and look at them")]
#![expect(clippy::print_stderr, reason = "the suite says how many cases each bucket kept")]

mod suite;
