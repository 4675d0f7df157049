//! Prometheus' duration: whole milliseconds, written `1h30m`, printed the way Prometheus prints it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
const YEAR: i64 = 365 * DAY;

/// Units from large to small: a string may name each at most once, in this order.
const UNITS: [(&str, i64); 7] =
    [("y", YEAR), ("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];

/// Prometheus counts durations in nanoseconds of an `int64`; beyond that it refuses.
const MAX_MILLIS: i64 = i64::MAX / 1_000_000;

/// A length of time in milliseconds, as Prometheus' configuration and PromQL write it.
///
/// Strings are never negative; a negative value can only be made from a number and prints with a leading `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PromDuration(i64);

/// Why a text is not a Prometheus duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text has no characters.
    #[error("empty duration string")]
    Empty,
    /// The text is not a sequence of number and unit, largest unit first.
    #[error("not a valid duration string: {0:?}")]
    Invalid(String),
    /// A number is followed by letters that name no unit.
    #[error("unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The letters.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// The text is well formed, but longer than about 292 years.
    #[error("duration out of range: {0:?}")]
    OutOfRange(String),
}

impl PromDuration {
    /// No time at all.
    pub const ZERO: PromDuration = PromDuration(0);
    /// The longest duration that Prometheus reads, about 292 years.
    pub const MAX: PromDuration = PromDuration(MAX_MILLIS);

    /// Makes a duration of so many milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        PromDuration(millis)
    }

    /// Makes a duration of so many seconds; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Self {
        PromDuration(secs.saturating_mul(SECOND))
    }

    /// Makes a duration of so many minutes; saturates at the ends of the range.
    pub const fn from_mins(mins: i64) -> Self {
        PromDuration(mins.saturating_mul(MINUTE))
    }

    /// Makes a duration of so many hours; saturates at the ends of the range.
    pub const fn from_hours(hours: i64) -> Self {
        PromDuration(hours.saturating_mul(HOUR))
    }

    /// Makes a duration of so many days of 24 hours; saturates at the ends of the range.
    pub const fn from_days(days: i64) -> Self {
        PromDuration(days.saturating_mul(DAY))
    }

    /// The number of milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The number of seconds, with a fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / SECOND as f64
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless it is out of range.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(millis) => Some(PromDuration(millis)),
            None => None,
        }
    }

    /// The difference, unless it is out of range.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(millis) => Some(PromDuration(millis)),
            None => None,
        }
    }

    /// The product, unless it is out of range.
    pub const fn checked_mul(self, factor: i64) -> Option<Self> {
        match self.0.checked_mul(factor) {
            Some(millis) => Some(PromDuration(millis)),
            None => None,
        }
    }

    /// The same length as the standard library's type; a negative one becomes zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl FromStr for PromDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text.is_empty() {
            return Err(DurationError::Empty);
        }
        if text == "0" {
            return Ok(PromDuration::ZERO);
        }
        let invalid = || DurationError::Invalid(text.to_owned());
        let out_of_range = || DurationError::OutOfRange(text.to_owned());
        let mut rest = text;
        let mut total: i64 = 0;
        let mut units = UNITS.as_slice();
        while !rest.is_empty() {
            let (digits, tail) = split_at_first(rest, |c| !c.is_ascii_digit());
            let (unit, tail) = split_at_first(tail, |c| c.is_ascii_digit());
            if digits.is_empty() {
                return Err(invalid());
            }
            if !unit.is_empty() && UNITS.iter().all(|(name, _)| *name != unit) {
                return Err(DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() });
            }
            let at = units.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
            let (_, millis) = units[at];
            units = &units[at + 1..];
            // Only digits are left here, so a failure to parse is a number that Go's unsigned integers cannot hold.
            let count: u64 = digits.parse().map_err(|_| invalid())?;
            let part = i64::try_from(count).ok().and_then(|count| count.checked_mul(millis));
            let part = part.ok_or_else(out_of_range)?;
            total = total.checked_add(part).filter(|t| *t <= MAX_MILLIS).ok_or_else(out_of_range)?;
            rest = tail;
        }
        Ok(PromDuration(total))
    }
}

fn split_at_first(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut left = self.0.unsigned_abs();
        for (name, millis) in UNITS {
            let unit = millis.unsigned_abs();
            // Years, and weeks likewise, are printed only when nothing remains: 30d stays 30d.
            let exact_only = name == "y" || name == "w";
            if left >= unit && (!exact_only || left.is_multiple_of(unit)) {
                write!(f, "{}{name}", left / unit)?;
                left %= unit;
            }
        }
        Ok(())
    }
}

impl Serialize for PromDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PromDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<i64, DurationError> {
        text.parse::<PromDuration>().map(PromDuration::as_millis)
    }

    #[test]
    fn reads_what_prometheus_reads() {
        for (text, millis) in [
            ("0", 0),
            ("0w", 0),
            ("0s", 0),
            ("324ms", 324),
            ("3s", 3_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("4d", 4 * DAY),
            ("4d1h", 4 * DAY + HOUR),
            ("14d", 14 * DAY),
            ("3w2d1h", 23 * DAY + HOUR),
            ("8y", 8 * YEAR),
            ("1h30m", 90 * MINUTE),
            ("1y2w3d4h5m6s7ms", YEAR + 2 * WEEK + 3 * DAY + 4 * HOUR + 5 * MINUTE + 6 * SECOND + 7),
            ("292y", 292 * YEAR),
        ] {
            assert_eq!(parse(text), Ok(millis), "{text}");
        }
    }

    #[test]
    fn refuses_what_prometheus_refuses() {
        assert_eq!(parse(""), Err(DurationError::Empty));
        for text in ["1", "1y1m1d", "-1w", "d", "1d1d", "00", "1m1", "m5"] {
            assert_eq!(parse(text), Err(DurationError::Invalid(text.into())), "{text}");
        }
        for (text, unit) in
            [("1.5d", "."), ("5 m", " m"), ("1h ", "h "), ("1µs", "µs"), ("5M", "M"), ("5y1hs", "hs")]
        {
            let error = DurationError::UnknownUnit { unit: unit.into(), text: text.into() };
            assert_eq!(parse(text), Err(error), "{text}");
        }
        for text in ["294y", "200y10400w", "107675d", "9999999999999999999s", "2584200h"] {
            assert_eq!(parse(text), Err(DurationError::OutOfRange(text.into())), "{text}");
        }
    }

    #[test]
    fn prints_as_prometheus_prints() {
        for (text, printed) in [
            ("0", "0s"),
            ("90m", "1h30m"),
            ("7d", "1w"),
            ("8d", "8d"),
            ("30d", "30d"),
            ("365d", "1y"),
            ("366d", "366d"),
            ("730d", "2y"),
            ("1w1d", "8d"),
            ("1500ms", "1s500ms"),
            ("60s", "1m"),
        ] {
            assert_eq!(text.parse::<PromDuration>().unwrap().to_string(), printed, "{text}");
        }
        assert_eq!(PromDuration::from_secs(-90).to_string(), "-1m30s");
        assert_eq!(PromDuration::from_millis(i64::MIN).to_string().as_bytes()[0], b'-');
    }

    proptest! {
        #[test]
        fn printing_and_reading_gives_the_same_duration(millis in 0..MAX_MILLIS) {
            let duration = PromDuration::from_millis(millis);
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "[0-9ywdhms]{0,12}") {
            if let Ok(duration) = text.parse::<PromDuration>() {
                prop_assert!(duration >= PromDuration::ZERO && duration <= PromDuration::MAX);
            }
        }
    }
}
