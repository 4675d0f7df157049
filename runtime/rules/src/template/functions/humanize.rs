//! Numbers for people: with prefixes, as durations, percentages and times.

use prom_model::go_float;

use super::super::fmt::general;
use super::super::time::Time;
use super::super::value::{IntType, Value};
use super::Result;

/// So many digits are shown.
const DIGITS: usize = 4;

/// The number in a value: numbers, durations, and texts that Go reads as a float.
fn number(value: &Value) -> Result<f64> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value, IntType::Int | IntType::Int64) => Ok(*value as f64),
        Value::PlainDuration(nanos) => {
            let second = 1_000_000_000;
            Ok((nanos / second) as f64 + (nanos % second) as f64 / second as f64)
        }
        Value::Text(text) => {
            let invalid =
                |why: &str| format!("strconv.ParseFloat: parsing {}: {why}", prom_model::quote(text));
            let value = parse_float(text).ok_or_else(|| invalid("invalid syntax"))?;
            let named = text.trim_start_matches(['+', '-']).starts_with(['i', 'I', 'n', 'N']);
            if value.is_finite() || named { Ok(value) } else { Err(invalid("value out of range")) }
        }
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

/// Go's `strconv.ParseFloat`, hexadecimal floats left out.
fn parse_float(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    match digits.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        "nan" => (digits.len() == text.len()).then_some(f64::NAN),
        _ if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => text.parse().ok(),
        _ => None,
    }
}

/// `humanize`: prefixes of 1000.
pub(super) fn metric(value: &Value) -> Result<Value> {
    let mut value = number(value)?;
    if value == 0.0 || !value.is_finite() {
        return Ok(Value::Text(general(value, DIGITS)));
    }
    let mut prefix = "";
    if value.abs() >= 1.0 {
        for next in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
            if value.abs() < 1000.0 {
                break;
            }
            prefix = next;
            value /= 1000.0;
        }
    } else {
        prefix = small(&mut value);
    }
    Ok(Value::Text(format!("{}{prefix}", general(value, DIGITS))))
}

/// The prefix of a number below 1, which becomes one above.
fn small(value: &mut f64) -> &'static str {
    let mut prefix = "";
    for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        *value *= 1000.0;
    }
    prefix
}

/// `humanize1024`: prefixes of 1024.
pub(super) fn binary(value: &Value) -> Result<Value> {
    let mut value = number(value)?;
    let mut prefix = "";
    if value.abs() > 1.0 && value.is_finite() {
        for next in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
            if value.abs() < 1024.0 {
                break;
            }
            prefix = next;
            value /= 1024.0;
        }
    }
    Ok(Value::Text(format!("{}{prefix}", general(value, DIGITS))))
}

/// `humanizeDuration`: seconds as days, hours, minutes and seconds.
pub(super) fn duration(value: &Value) -> Result<Value> {
    let mut value = number(value)?;
    if !value.is_finite() {
        return Ok(Value::Text(general(value, DIGITS)));
    }
    if value == 0.0 {
        return Ok(Value::Text(format!("{}s", general(value, DIGITS))));
    }
    if value.abs() < 1.0 {
        let prefix = small(&mut value);
        return Ok(Value::Text(format!("{}{prefix}s", general(value, DIGITS))));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let value = value.abs();
    // Go cuts what lies beyond the range to the lowest integer.
    let whole = if value < 9_223_372_036_854_775_808.0 { value as i64 } else { i64::MIN };
    let (seconds, minutes) = (whole % 60, (whole / 60) % 60);
    let (hours, days) = ((whole / 3_600) % 24, whole / 86_400);
    Ok(Value::Text(if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", general(value, DIGITS))
    }))
}

/// `humanizePercentage`: the ratio times 100.
pub(super) fn percentage(value: &Value) -> Result<Value> {
    Ok(Value::Text(format!("{}%", general(number(value)? * 100.0, DIGITS))))
}

/// `humanizeTimestamp`: seconds since the epoch as a time.
pub(super) fn timestamp(value: &Value) -> Result<Value> {
    let value = number(value)?;
    if !value.is_finite() {
        return Ok(Value::Text(general(value, DIGITS)));
    }
    Ok(Value::Text(time(value)?.to_string()))
}

/// `toTime`: seconds since the epoch as a time, for its methods.
pub(super) fn to_time(value: &Value) -> Result<Value> {
    time(number(value)?).map(Value::Time)
}

/// `toDuration`: seconds as a duration, for its methods.
pub(super) fn to_duration(value: &Value) -> Result<Value> {
    let nanos = number(value)? * 1e9;
    let inside = nanos.is_finite() && nanos.abs() < 9_223_372_036_854_775_808.0;
    Ok(Value::Duration(if inside { nanos as i64 } else { i64::MIN }))
}

fn time(seconds: f64) -> Result<Time> {
    if !seconds.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    let nanos = seconds * 1e9;
    if !(-9_223_372_036_854_775_808.0..=9_223_372_036_854_775_808.0).contains(&nanos) {
        let shown = go_float(seconds);
        return Err(format!(
            "{shown} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    // Prometheus' times are whole milliseconds, cut towards zero.
    Ok(Time::from_millis(nanos as i64 / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(call: fn(&Value) -> Result<Value>, value: f64) -> String {
        match call(&Value::Float(value)) {
            Ok(Value::Text(text)) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn numbers_for_people() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (1_234_567.0, "1.235M"),
            (0.12, "120m"),
            (-1e-7, "-100n"),
            (1e30, "1e+06Y"),
        ] {
            assert_eq!(shown(metric, value), text);
        }
        for (value, text) in [(1024.0, "1ki"), (1_048_576.5, "1Mi"), (0.5, "0.5"), (1e27, "827.2Yi")] {
            assert_eq!(shown(binary, value), text);
        }
        for (value, text) in [
            (0.0, "0s"),
            (1.0, "1s"),
            (59.99, "59.99s"),
            (60.0, "1m 0s"),
            (3600.0, "1h 0m 0s"),
            (86400.0 + 7384.0, "1d 2h 3m 4s"),
            (-86400.0, "-1d 0h 0m 0s"),
            (0.0001, "100us"),
        ] {
            assert_eq!(shown(duration, value), text);
        }
        assert_eq!(shown(percentage, 0.123456), "12.35%");
        assert_eq!(shown(timestamp, 1_435_065_584.128), "2015-06-23 13:19:44.128 +0000 UTC");
        assert_eq!(shown(timestamp, f64::INFINITY), "+Inf");
    }

    #[test]
    fn texts_are_numbers_where_go_reads_them() {
        let text = |text: &str| number(&Value::text(text));
        assert_eq!(text("1.5e3"), Ok(1500.0));
        assert_eq!(text("-Inf"), Ok(f64::NEG_INFINITY));
        assert_eq!(text("x"), Err("strconv.ParseFloat: parsing \"x\": invalid syntax".to_owned()));
        assert_eq!(
            text("1e999"),
            Err("strconv.ParseFloat: parsing \"1e999\": value out of range".to_owned())
        );
        assert_eq!(number(&Value::Bool(true)), Err("can't convert bool to float".to_owned()));
    }
}
