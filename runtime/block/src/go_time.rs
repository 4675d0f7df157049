//! Points in time as Go writes them in JSON: RFC 3339 with up to nine digits of a second, and a year 1 that means "not set".

use std::fmt;
use std::str::FromStr;

use prom_model::TimestampMs;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds from 0001-01-01 to 1970-01-01.
const ZERO_SECONDS: i64 = -62_135_596_800;
const DAY_SECONDS: i64 = 86_400;

/// A time with a zone, kept so exactly that it is written as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoTime {
    /// Since the epoch, in UTC.
    seconds: i64,
    nanos: u32,
    /// East of Greenwich.
    offset_minutes: i16,
}

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time of RFC 3339, as in 2026-11-22T15:41:52.8954Z")]
pub struct GoTimeError(String);

impl Default for GoTime {
    /// Go's zero time, which stands for "not set".
    fn default() -> Self {
        GoTime { seconds: ZERO_SECONDS, nanos: 0, offset_minutes: 0 }
    }
}

impl GoTime {
    /// Whether this is Go's zero time.
    pub fn is_unset(self) -> bool {
        self.seconds == ZERO_SECONDS && self.nanos == 0
    }

    /// The time in whole milliseconds, cut.
    pub const fn to_timestamp(self) -> TimestampMs {
        let millis = self.seconds.saturating_mul(1_000).saturating_add((self.nanos / 1_000_000) as i64);
        TimestampMs::from_millis(millis)
    }
}

impl From<TimestampMs> for GoTime {
    /// In UTC; what lies outside the years 0 to 9999 is moved to their ends.
    fn from(time: TimestampMs) -> Self {
        let millis = time.as_millis().clamp(-62_167_219_200_000, 253_402_300_799_999);
        let nanos = u32::try_from(millis.rem_euclid(1_000)).unwrap_or(0) * 1_000_000;
        GoTime { seconds: millis.div_euclid(1_000), nanos, offset_minutes: 0 }
    }
}

impl fmt::Display for GoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.seconds + i64::from(self.offset_minutes) * 60;
        let (year, month, day) = civil_from_days(local.div_euclid(DAY_SECONDS));
        let second = local.rem_euclid(DAY_SECONDS);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)?;
        if self.nanos > 0 {
            let digits = format!("{:09}", self.nanos);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if self.offset_minutes == 0 {
            return f.write_str("Z");
        }
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let offset = self.offset_minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

impl FromStr for GoTime {
    type Err = GoTimeError;

    fn from_str(text: &str) -> Result<Self, GoTimeError> {
        parse(text).ok_or_else(|| GoTimeError(text.chars().take(64).collect()))
    }
}

fn parse(text: &str) -> Option<GoTime> {
    let (date, rest) = text.split_once('T')?;
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let zone = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(zone)?;
    let (clock, fraction) =
        clock.split_once('.').map_or((clock, None), |(clock, fraction)| (clock, Some(fraction)));
    let mut numbers = clock.split(':');
    let (hour, minute, second) =
        (digits(numbers.next()?, 2)?, digits(numbers.next()?, 2)?, digits(numbers.next()?, 2)?);
    let in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range || parts.next().is_some() || numbers.next().is_some() {
        return None;
    }
    let nanos = match fraction {
        None => 0,
        Some(fraction) if (1..=9).contains(&fraction.len()) => {
            let scale = 10_i64.checked_pow(u32::try_from(9 - fraction.len()).ok()?)?;
            u32::try_from(digits(fraction, fraction.len())? * scale).ok()?
        }
        Some(_) => return None,
    };
    let offset_minutes = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i16::try_from(hours * 60 + minutes).ok()?;
            if sign == "-" { -offset } else { offset }
        }
    };
    let seconds = days_from_civil(year, month, day) * DAY_SECONDS + hour * 3_600 + minute * 60 + second
        - i64::from(offset_minutes) * 60;
    Some(GoTime { seconds, nanos, offset_minutes })
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; years begin in March here, so that leap days come last.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The reverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + if month <= 2 { 1 } else { 0 }, month, day)
}

impl Serialize for GoTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_writes_what_go_writes() {
        for text in [
            "0001-01-01T00:00:00Z",
            "2026-11-22T15:41:52.89541349Z",
            "2024-02-29T23:59:59.000000001+02:00",
            "1999-12-31T00:00:00-11:30",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            assert_eq!(text.parse::<GoTime>().unwrap().to_string(), text);
        }
        assert!("0001-01-01T00:00:00Z".parse::<GoTime>().unwrap().is_unset());
        assert_eq!(
            "2024-01-01T01:00:00.5+01:00".parse::<GoTime>().unwrap().to_timestamp().as_millis(),
            1_704_067_200_500
        );
        for wrong in [
            "",
            "2024-01-01",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00",
            "é",
            "T",
            "-T:Z",
        ] {
            assert!(wrong.parse::<GoTime>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_millisecond_comes_back(millis in -62_167_219_200_000_i64..253_402_300_800_000) {
            let time = GoTime::from(TimestampMs::from_millis(millis));
            prop_assert_eq!(time.to_timestamp().as_millis(), millis);
            prop_assert_eq!(time.to_string().parse::<GoTime>().unwrap(), time);
        }
    }
}
