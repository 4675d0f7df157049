//! The time of day, passed in wherever it matters, so that tests and simulations can set it.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::TimestampMs;

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// The time now, as wall clocks show it; it may jump.
    fn now(&self) -> TimestampMs;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is given")]
    fn now(&self) -> TimestampMs {
        let millis = match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        TimestampMs::from_millis(millis)
    }
}

/// A clock that shows what it is told.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this time until it is set.
    pub const fn new(now: TimestampMs) -> Self {
        ManualClock(AtomicI64::new(now.as_millis()))
    }

    /// Shows this time from now on.
    pub fn set(&self, now: TimestampMs) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Moves the clock by so many milliseconds, back if negative.
    pub fn advance_ms(&self, by: i64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> TimestampMs {
        TimestampMs::from_millis(self.0.load(Ordering::SeqCst))
    }
}
