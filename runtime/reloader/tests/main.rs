//! The reloader's promises, with a disk that fails and a Prometheus that refuses.
#![expect(clippy::disallowed_methods, reason = "tests lay out folders and look at them")]

mod suite;
