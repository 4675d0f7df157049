//! Suites by subject.

mod crashes;
mod decisions;
mod disks;
mod peer;
