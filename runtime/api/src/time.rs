//! Times and durations in parameters, read as Prometheus reads them, down to the rounding.

use std::str::FromStr;

use prom_model::{PromDuration, quote};

const NANOS: i64 = 1_000_000_000;

/// A time with nanoseconds, as Go keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time {
    seconds: i64,
    nanos: i64,
}

/// What stands for "no beginning".
pub(crate) const MIN_TIME: Time = Time { seconds: i64::MIN / 1000 + 62_135_596_801, nanos: 0 };
/// What stands for "no end".
pub(crate) const MAX_TIME: Time = Time { seconds: i64::MAX / 1000 - 62_135_596_801, nanos: 999_999_999 };
/// How Prometheus writes these two.
const MIN_TEXT: &str = "-292273086-05-16T16:47:06Z";
const MAX_TEXT: &str = "292277025-08-18T07:12:54.999999999Z";

impl Time {
    pub(crate) const fn from_millis(millis: i64) -> Self {
        Time { seconds: millis.div_euclid(1000), nanos: millis.rem_euclid(1000) * 1_000_000 }
    }

    /// Milliseconds since the epoch.
    pub(crate) const fn millis(self) -> i64 {
        self.seconds.wrapping_mul(1000).wrapping_add(self.nanos / 1_000_000)
    }

    /// Nanoseconds from `earlier` to this time; saturates.
    pub(crate) fn since(self, earlier: Time) -> i64 {
        let of = |time: Time| i128::from(time.seconds) * i128::from(NANOS) + i128::from(time.nanos);
        let between = of(self) - of(earlier);
        i64::try_from(between).unwrap_or(if between < 0 { i64::MIN } else { i64::MAX })
    }

    /// Reads seconds since the epoch, or a date and time as in RFC 3339.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(seconds) = parse_float(text) {
            let whole = seconds.trunc();
            // Go's `Modf` keeps infinity whole and has no fraction of it.
            let fraction = if seconds.is_infinite() { f64::NAN } else { seconds - whole };
            let fraction = (fraction * 1000.0).round() / 1000.0;
            let nanos = go_int64(fraction * NANOS as f64);
            let seconds = go_int64(whole).wrapping_add(nanos.div_euclid(NANOS));
            return Ok(Time { seconds, nanos: nanos.rem_euclid(NANOS) });
        }
        match (rfc3339(text), text) {
            (Some(time), _) => Ok(time),
            (None, MIN_TEXT) => Ok(MIN_TIME),
            (None, MAX_TEXT) => Ok(MAX_TIME),
            (None, _) => Err(format!("cannot parse {} to a valid timestamp", quote(text))),
        }
    }
}

/// Reads a duration: seconds, or as in `1h30m`. Gives nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_float(text) {
        let nanos = seconds * NANOS as f64;
        if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
            return Err(format!("cannot parse {} to a valid duration. It overflows int64", quote(text)));
        }
        return Ok(go_int64(nanos));
    }
    match PromDuration::from_str(text) {
        Ok(duration) => Ok(duration.as_millis().saturating_mul(1_000_000)),
        Err(_) => Err(format!("cannot parse {} to a valid duration", quote(text))),
    }
}

/// What Go's conversion gives on amd64: everything that is no 64-bit integer becomes the smallest.
fn go_int64(value: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// Reads a number as Go's `ParseFloat`: too large a one is none.
fn parse_float(text: &str) -> Option<f64> {
    if let Some(value) = parse_hexadecimal(text) {
        return Some(value).filter(|value| value.is_finite());
    }
    let value: f64 = text.parse().ok()?;
    let named = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    (!value.is_infinite() || named).then_some(value)
}

/// Reads `0x1.8p3`.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (negative, rest) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let rest = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"))?;
    let (mantissa, exponent) = rest.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (front, back) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if front.is_empty() && back.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in front.chars().chain(back.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let value = value * 2f64.powi(exponent.saturating_sub(4 * back.len() as i32));
    Some(if negative { -value } else { value })
}

/// Reads `2024-01-01T03:00:00.5Z` or with `+02:00`.
fn rfc3339(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let expect = |at: usize, byte: u8| (bytes.get(at) == Some(&byte)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    expect(4, b'-')?;
    expect(7, b'-')?;
    expect(10, b'T')?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    expect(13, b':')?;
    expect(16, b':')?;
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let nine: String = fraction.chars().take(digits.min(9)).chain("000000000".chars()).take(9).collect();
        nanos = nine.parse().ok()?;
        rest = fraction.get(digits..)?;
    }
    let offset = if rest == "Z" { 0 } else { zone(rest)? };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > days || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(Time { seconds, nanos })
}

/// Seconds east of Greenwich of `+02:00`.
fn zone(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |digits: &str| -> Option<i64> {
        if digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            digits.parse().ok()
        } else {
            None
        }
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days from the epoch to a date of the Gregorian calendar.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Writes milliseconds since the epoch as a date and time in UTC.
pub(crate) fn to_rfc3339(millis: i64) -> String {
    let (seconds, fraction) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let (days, of_day) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400));
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:03}") };
    let fraction = fraction.trim_end_matches('0');
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_dates() {
        for (text, millis) in [
            ("1704078000", 1_704_078_000_000),
            ("1704086020.146", 1_704_086_020_146),
            ("1.7040780005e9", 1_704_078_000_500),
            ("-0.25", -250),
            ("2024-01-01T03:00:00Z", 1_704_078_000_000),
            ("2024-01-01T03:00:00.5Z", 1_704_078_000_500),
            ("2024-01-01T05:30:00+02:30", 1_704_078_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(Time::parse(text).map(Time::millis), Ok(millis), "{text}");
        }
        for text in [
            "",
            "x",
            "2024-01-01",
            "2024-02-30T00:00:00Z",
            "2024-01-01 03:00:00Z",
            "1e400",
            "2023-02-29T00:00:00Z",
        ] {
            let error = format!("cannot parse {} to a valid timestamp", quote(text));
            assert_eq!(Time::parse(text), Err(error));
        }
        assert_eq!(Time::parse(MIN_TEXT), Ok(MIN_TIME));
        assert_eq!(Time::parse(MAX_TEXT), Ok(MAX_TIME));
    }

    #[test]
    fn durations_are_seconds_or_units() {
        for (text, nanos) in [
            ("15", 15 * NANOS),
            ("0.5", NANOS / 2),
            ("2m30s", 150 * NANOS),
            ("1ms", 1_000_000),
            ("-1", -NANOS),
        ] {
            assert_eq!(parse_duration(text), Ok(nanos), "{text}");
        }
        assert_eq!(parse_duration("x").unwrap_err(), "cannot parse \"x\" to a valid duration");
        let error = parse_duration("1e10").unwrap_err();
        assert_eq!(error, "cannot parse \"1e10\" to a valid duration. It overflows int64");
    }

    #[test]
    fn dates_read_back() {
        for millis in [0, 1_704_078_000_500, -1, 1_709_164_800_000, 253_402_300_799_000] {
            assert_eq!(Time::parse(&to_rfc3339(millis)).map(Time::millis), Ok(millis));
        }
        assert_eq!(to_rfc3339(1_704_078_000_500), "2024-01-01T03:00:00.5Z");
    }
}
