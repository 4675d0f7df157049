//! Go's times and durations: always in UTC, as Prometheus gives them to templates.

mod layout;
mod methods;

use std::fmt;

pub(super) use methods::{Method, Param, duration_method, time_method};

const SECOND: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time {
    /// Since the epoch.
    seconds: i64,
    /// Below a second, from 0.
    nanos: u32,
}

/// A day of the Gregorian calendar with the time within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    /// From 1.
    month: i64,
    /// From 1.
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Time {
    pub(super) fn from_millis(millis: i64) -> Time {
        let nanos = u32::try_from(millis.rem_euclid(1_000)).unwrap_or(0) * 1_000_000;
        Time { seconds: millis.div_euclid(1_000), nanos }
    }

    fn from_nanos(nanos: i128) -> Option<Time> {
        let second = i128::from(SECOND);
        Some(Time {
            seconds: i64::try_from(nanos.div_euclid(second)).ok()?,
            nanos: u32::try_from(nanos.rem_euclid(second)).ok()?,
        })
    }

    /// Nanoseconds since the epoch.
    fn as_nanos(self) -> i128 {
        i128::from(self.seconds) * i128::from(SECOND) + i128::from(self.nanos)
    }

    fn days(self) -> i64 {
        self.seconds.div_euclid(DAY_SECONDS)
    }

    fn civil(self) -> Civil {
        let (year, month, day) = civil_from_days(self.days());
        let second = self.seconds.rem_euclid(DAY_SECONDS);
        Civil { year, month, day, hour: second / 3_600, minute: second / 60 % 60, second: second % 60 }
    }

    /// Sunday is 0.
    fn weekday(self) -> i64 {
        (self.days() + 4).rem_euclid(7)
    }

    /// From 1.
    fn year_day(self) -> i64 {
        self.days() - days_from_civil(self.civil().year, 1, 1) + 1
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&layout::format(*self, "2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// A month by its number from 1, as Go names it.
pub(super) fn month_name(month: i64) -> String {
    let name = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index));
    name.map_or_else(|| format!("%!Month({month})"), |name| (*name).to_owned())
}

/// A weekday by its number from 0, as Go names it.
pub(super) fn weekday_name(weekday: i64) -> String {
    let name = usize::try_from(weekday).ok().and_then(|index| WEEKDAYS.get(index));
    name.map_or_else(|| format!("%!Weekday({weekday})"), |name| (*name).to_owned())
}

/// Nanoseconds as Go prints them: `1h30m0s`, `1.5s`, `2ms`.
pub(super) fn go_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    let fraction = |unit: u64, name: &str| {
        let digits = unit.ilog10() as usize;
        let rest = format!("{:0digits$}", size % unit);
        let rest = if digits == 0 { "" } else { rest.trim_end_matches('0') };
        let point = if rest.is_empty() { "" } else { "." };
        format!("{sign}{}{point}{rest}{name}", size / unit)
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => fraction(1, "ns"),
        1_000..1_000_000 => fraction(1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(1_000_000, "ms"),
        _ => {
            let seconds = size / 1_000_000_000;
            let rest = format!("{:09}", size % 1_000_000_000);
            let rest = rest.trim_end_matches('0');
            let point = if rest.is_empty() { "" } else { "." };
            let second = format!("{}{point}{rest}s", seconds % 60);
            match (seconds / 3_600, seconds / 60 % 60) {
                (0, 0) => format!("{sign}{second}"),
                (0, minutes) => format!("{sign}{minutes}m{second}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{second}"),
            }
        }
    }
}

/// Days from 1970-01-01 to a day; months beyond the year run on into the next.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that leap days come last.
    let year = year.saturating_add((month - 1).div_euclid(12));
    let month = (month - 1).rem_euclid(12) + 1;
    let year = if month <= 2 { year.saturating_sub(1) } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era.saturating_mul(146_097).saturating_add(day_of_era).saturating_sub(719_468)
}

const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_go_shows_them() {
        let shown = |millis| Time::from_millis(millis).to_string();
        assert_eq!(shown(0), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(shown(1_435_065_584_128), "2015-06-23 13:19:44.128 +0000 UTC");
        assert_eq!(shown(-1), "1969-12-31 23:59:59.999 +0000 UTC");
        assert_eq!(shown(-9_223_372_036_854), "1677-09-21 00:12:43.146 +0000 UTC");
        assert_eq!(Time::from_millis(951_782_400_000).year_day(), 60);
    }

    #[test]
    fn durations_are_shown_as_go_shows_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (-1_500_000_000, "-1.5s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(go_duration(nanos), text);
        }
    }
}
