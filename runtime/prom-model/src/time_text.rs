//! Points in time as users write them for Prometheus' tools: seconds since the epoch, or RFC 3339.

use crate::TimestampMs;

/// Reads a time, cut to milliseconds; `None` if the text is none.
pub fn parse_time(text: &str) -> Option<TimestampMs> {
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = (seconds * 1_000.0).floor();
        return (millis.abs() < 9.0e18).then_some(TimestampMs::from_millis(millis as i64));
    }
    let (date, rest) = text.split_once('T')?;
    let (year, month_and_day) = date.split_once('-')?;
    let (month, day) = month_and_day.split_once('-')?;
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let (clock, zone) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let (hour, minute_and_second) = clock.split_once(':')?;
    let (minute, second) = minute_and_second.split_once(':')?;
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let valid = (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !valid {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(TimestampMs::from_millis((seconds - offset(zone)?) * 1_000 + millis))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, offset) = zone.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let seconds = hours * 3_600 + minutes * 60;
    (hours < 24 && minutes < 60).then_some(if sign == "-" { -seconds } else { seconds })
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that leap days come last.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_time() {
        let millis = |text: &str| parse_time(text).map(TimestampMs::as_millis);
        assert_eq!(millis("1609459200"), Some(1_609_459_200_000));
        assert_eq!(millis("1.5"), Some(1_500));
        assert_eq!(millis("2024-01-01T00:00:00Z"), Some(1_704_067_200_000));
        assert_eq!(millis("2024-02-29T12:30:00.25+02:00"), Some(1_709_202_600_250));
        for bad in ["", "yesterday", "2024-01-01", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "inf"] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }
}
