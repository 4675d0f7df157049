//! `Format`: a layout shows how Go's reference time would look.

use super::{Time, month_name, weekday_name};

/// A part of a layout that stands for a part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Pm,
    SmallPm,
    Zone,
    /// `Z` in UTC.
    ZuluOffset,
    /// `+0000`, `+00:00` and so on.
    Offset(&'static str),
    /// So many digits of the second, with the separator; zeros at the end are left out where the layout has nines.
    Fraction(usize, bool, char),
}

/// The time in the form that the layout shows.
pub(super) fn format(time: Time, layout: &str) -> String {
    let mut out = String::new();
    let mut rest = layout;
    while let Some((before, part, after)) = next_part(rest) {
        out.push_str(before);
        push(&mut out, time, part);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn push(out: &mut String, time: Time, part: Part) {
    let civil = time.civil();
    let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
    let short = |name: String| name.get(..3).unwrap_or_default().to_owned();
    let text = match part {
        Part::LongMonth => month_name(civil.month),
        Part::Month => short(month_name(civil.month)),
        Part::NumberMonth => civil.month.to_string(),
        Part::ZeroMonth => format!("{:02}", civil.month),
        Part::LongWeekday => weekday_name(time.weekday()),
        Part::Weekday => short(weekday_name(time.weekday())),
        Part::Day => civil.day.to_string(),
        Part::UnderDay => format!("{:2}", civil.day),
        Part::ZeroDay => format!("{:02}", civil.day),
        Part::UnderYearDay => format!("{:3}", time.year_day()),
        Part::ZeroYearDay => format!("{:03}", time.year_day()),
        Part::Hour => format!("{:02}", civil.hour),
        Part::Hour12 => hour12.to_string(),
        Part::ZeroHour12 => format!("{hour12:02}"),
        Part::Minute => civil.minute.to_string(),
        Part::ZeroMinute => format!("{:02}", civil.minute),
        Part::Second => civil.second.to_string(),
        Part::ZeroSecond => format!("{:02}", civil.second),
        Part::LongYear if civil.year < 0 => format!("-{:04}", civil.year.unsigned_abs()),
        Part::LongYear => format!("{:04}", civil.year),
        Part::Year => format!("{:02}", civil.year.rem_euclid(100)),
        Part::Pm => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        Part::SmallPm => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
        Part::Zone => "UTC".to_owned(),
        Part::ZuluOffset => "Z".to_owned(),
        Part::Offset(zero) => zero.to_owned(),
        Part::Fraction(digits, trims, separator) => {
            let nanos = format!("{:09}", time.nanos);
            let mut nanos = nanos.get(..digits.min(9)).unwrap_or_default().to_owned();
            nanos.push_str(&"0".repeat(digits.saturating_sub(9)));
            let shown = if trims { nanos.trim_end_matches('0') } else { &nanos };
            if shown.is_empty() { String::new() } else { format!("{separator}{shown}") }
        }
    };
    out.push_str(&text);
}

/// Words and numbers of the reference time, longer ones before their beginnings.
const PARTS: &[(&str, Part)] = &[
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumberMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("__2", Part::UnderYearDay),
    ("_2", Part::UnderDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::Pm),
    ("pm", Part::SmallPm),
    ("MST", Part::Zone),
    ("-070000", Part::Offset("+000000")),
    ("-07:00:00", Part::Offset("+00:00:00")),
    ("-0700", Part::Offset("+0000")),
    ("-07:00", Part::Offset("+00:00")),
    ("-07", Part::Offset("+00")),
    ("Z070000", Part::ZuluOffset),
    ("Z07:00:00", Part::ZuluOffset),
    ("Z0700", Part::ZuluOffset),
    ("Z07:00", Part::ZuluOffset),
    ("Z07", Part::ZuluOffset),
];

/// What stands before the first part, the part, and what follows it.
fn next_part(layout: &str) -> Option<(&str, Part, &str)> {
    for (at, c) in layout.char_indices() {
        let (before, rest) = layout.split_at_checked(at)?;
        // `_2006` is a line and the year.
        if rest.starts_with("_2006") {
            return Some((layout.get(..=at)?, Part::LongYear, rest.get(5..)?));
        }
        let part = match c {
            'J' => word(rest, "January", Part::LongMonth, "Jan", Part::Month),
            'M' if rest.starts_with("Mon") => word(rest, "Monday", Part::LongWeekday, "Mon", Part::Weekday),
            '.' | ',' => fraction(rest, c),
            _ => {
                PARTS.iter().find(|(text, _)| rest.starts_with(text)).map(|(text, part)| (*part, text.len()))
            }
        };
        if let Some((part, length)) = part {
            return Some((before, part, rest.get(length..)?));
        }
    }
    None
}

fn word(rest: &str, long: &str, long_part: Part, short: &str, short_part: Part) -> Option<(Part, usize)> {
    if rest.starts_with(long) {
        return Some((long_part, long.len()));
    }
    let after = rest.strip_prefix(short)?;
    (!after.starts_with(|c: char| c.is_ascii_lowercase())).then_some((short_part, short.len()))
}

fn fraction(rest: &str, separator: char) -> Option<(Part, usize)> {
    let digits = rest.get(1..)?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let after = digits.trim_start_matches(digit);
    let count = digits.len() - after.len();
    let ends = !after.starts_with(|c: char| c.is_ascii_digit());
    ends.then_some((Part::Fraction(count, digit == '9', separator), count + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        let time = Time::from_millis(1_136_214_245_007);
        for (layout, text) in [
            ("2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z"),
            ("Mon, 02 Jan 2006 15:04:05 MST", "Mon, 02 Jan 2006 15:04:05 UTC"),
            ("Monday, January _2 '06 at 3:4:5pm", "Monday, January  2 '06 at 3:4:5pm"),
            ("15:04:05.000 .999 ,000000 .00x .001", "15:04:05.007 .007 ,007000 .00x .001"),
            ("-0700 -07:00 Z0700 __2 002 _2006", "+0000 +00:00 Z   2 002 _2006"),
            ("Janet Month é 1/2", "Janet Month é 1/2"),
        ] {
            assert_eq!(format(time, layout), text);
        }
    }
}
