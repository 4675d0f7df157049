//! `pronoiad reloader` as a process.

mod flags;
mod recordings;
