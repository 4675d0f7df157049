//! A point in time as Prometheus stores it: milliseconds since the Unix epoch.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::PromDuration;

/// Milliseconds since 1970-01-01T00:00:00Z, negative before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimestampMs(i64);

impl TimestampMs {
    /// The earliest representable time; stands for "no lower bound".
    pub const MIN: TimestampMs = TimestampMs(i64::MIN);
    /// The latest representable time; stands for "no upper bound".
    pub const MAX: TimestampMs = TimestampMs(i64::MAX);

    /// Makes a timestamp from milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        TimestampMs(millis)
    }

    /// The milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The seconds since the epoch, with a fraction, as the HTTP API writes them.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The time so much later; stays at the end of the range instead of wrapping.
    #[must_use]
    pub const fn saturating_add(self, by: PromDuration) -> Self {
        TimestampMs(self.0.saturating_add(by.as_millis()))
    }

    /// The time so much earlier; stays at the end of the range instead of wrapping.
    #[must_use]
    pub const fn saturating_sub(self, by: PromDuration) -> Self {
        TimestampMs(self.0.saturating_sub(by.as_millis()))
    }

    /// The length from `earlier` to this time; saturates.
    pub const fn since(self, earlier: TimestampMs) -> PromDuration {
        PromDuration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stays_in_range() {
        let hour = PromDuration::from_hours(1);
        assert_eq!(TimestampMs::MAX.saturating_add(hour), TimestampMs::MAX);
        assert_eq!(TimestampMs::MIN.saturating_sub(hour), TimestampMs::MIN);
        let noon = TimestampMs::from_millis(43_200_000);
        assert_eq!(noon.saturating_add(hour).since(noon), hour);
    }
}
