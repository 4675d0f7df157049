//! The methods of Go's `time.Time` and `time.Duration` that templates may call.

use super::super::value::{IntType, Value};
use super::{SECOND, Time, days_from_civil, go_duration, layout};

/// What a method takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Param {
    Text,
    Int,
    Duration,
    Time,
}

/// A method: what it takes, and what it does with that.
pub(in super::super) struct Method<T> {
    pub(in super::super) takes: &'static [Param],
    pub(in super::super) call: Call<T>,
}

/// What a method does.
type Call<T> = fn(T, &[Value]) -> Value;

/// A method of times.
pub(in super::super) fn time_method(name: &str) -> Option<Method<Time>> {
    let (takes, call): (&[Param], Call<Time>) = match name {
        "Format" => (&[Param::Text], |time, args| Value::Text(layout::format(time, text(args)))),
        "String" => (&[], |time, _| Value::Text(time.to_string())),
        "Unix" => (&[], |time, _| int64(i128::from(time.seconds))),
        "UnixMilli" => (&[], |time, _| int64(time.as_nanos().div_euclid(1_000_000))),
        "UnixMicro" => (&[], |time, _| int64(time.as_nanos().div_euclid(1_000))),
        "UnixNano" => (&[], |time, _| int64(time.as_nanos())),
        "Year" => (&[], |time, _| int(time.civil().year)),
        "Month" => (&[], |time, _| Value::Int(time.civil().month, IntType::Month)),
        "Day" => (&[], |time, _| int(time.civil().day)),
        "Hour" => (&[], |time, _| int(time.civil().hour)),
        "Minute" => (&[], |time, _| int(time.civil().minute)),
        "Second" => (&[], |time, _| int(time.civil().second)),
        "Nanosecond" => (&[], |time, _| int(i64::from(time.nanos))),
        "YearDay" => (&[], |time, _| int(time.year_day())),
        "Weekday" => (&[], |time, _| Value::Int(time.weekday(), IntType::Weekday)),
        "UTC" => (&[], |time, _| Value::PlainTime(time)),
        "IsZero" => (&[], |time, _| Value::Bool(time.seconds == days_from_civil(1, 1, 1) * 86_400)),
        "Before" => (&[Param::Time], |time, args| Value::Bool(Some(time) < other(args))),
        "After" => (&[Param::Time], |time, args| Value::Bool(Some(time) > other(args))),
        "Equal" => (&[Param::Time], |time, args| Value::Bool(Some(time) == other(args))),
        "Sub" => (&[Param::Time], |time, args| {
            let nanos = time.as_nanos() - other(args).map_or(0, Time::as_nanos);
            let limits = (i128::from(i64::MIN), i128::from(i64::MAX));
            Value::PlainDuration(i64::try_from(nanos.clamp(limits.0, limits.1)).unwrap_or_default())
        }),
        "Add" => {
            (&[Param::Duration], |time, args| moved(time, time.as_nanos() + i128::from(number(args, 0))))
        }
        "Truncate" => (&[Param::Duration], |time, args| rounded(time, number(args, 0), false)),
        "Round" => (&[Param::Duration], |time, args| rounded(time, number(args, 0), true)),
        "AddDate" => (&[Param::Int, Param::Int, Param::Int], |time, args| {
            let civil = time.civil();
            let year = civil.year.saturating_add(number(args, 0));
            let month = civil.month.saturating_add(number(args, 1));
            let days =
                days_from_civil(year, month, 1).saturating_add(civil.day - 1).saturating_add(number(args, 2));
            let within = time.seconds.rem_euclid(86_400);
            let seconds = i128::from(days) * 86_400 + i128::from(within);
            moved(time, seconds * i128::from(SECOND) + i128::from(time.nanos))
        }),
        _ => return None,
    };
    Some(Method { takes, call })
}

/// A method of durations.
pub(in super::super) fn duration_method(name: &str) -> Option<Method<i64>> {
    let (takes, call): (&[Param], Call<i64>) = match name {
        "String" => (&[], |nanos, _| Value::Text(go_duration(nanos))),
        "Hours" => (&[], |nanos, _| fraction(nanos, 3_600 * SECOND)),
        "Minutes" => (&[], |nanos, _| fraction(nanos, 60 * SECOND)),
        "Seconds" => (&[], |nanos, _| fraction(nanos, SECOND)),
        "Milliseconds" => (&[], |nanos, _| int64(i128::from(nanos / 1_000_000))),
        "Microseconds" => (&[], |nanos, _| int64(i128::from(nanos / 1_000))),
        "Nanoseconds" => (&[], |nanos, _| int64(i128::from(nanos))),
        "Abs" => (&[], |nanos, _| Value::PlainDuration(nanos.saturating_abs())),
        "Truncate" => (&[Param::Duration], |nanos, args| {
            let unit = number(args, 0);
            Value::PlainDuration(if unit <= 0 { nanos } else { nanos - nanos % unit })
        }),
        "Round" => (&[Param::Duration], |nanos, args| Value::PlainDuration(round(nanos, number(args, 0)))),
        _ => return None,
    };
    Some(Method { takes, call })
}

fn int(value: i64) -> Value {
    Value::Int(value, IntType::Int)
}

/// Numbers beyond the type wrap, as they do in Go.
fn int64(value: i128) -> Value {
    let low = u64::try_from(value.rem_euclid(1 << 64)).unwrap_or_default();
    Value::Int(low.cast_signed(), IntType::Int64)
}

fn fraction(nanos: i64, unit: i64) -> Value {
    Value::Float((nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64)
}

fn text(args: &[Value]) -> &str {
    match args.first() {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn number(args: &[Value], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(number, _) | Value::PlainDuration(number)) => *number,
        _ => 0,
    }
}

fn other(args: &[Value]) -> Option<Time> {
    match args.first() {
        Some(Value::PlainTime(time)) => Some(*time),
        _ => None,
    }
}

/// The time at so many nanoseconds, or the time itself beyond what can be shown.
fn moved(time: Time, nanos: i128) -> Value {
    Value::PlainTime(Time::from_nanos(nanos).unwrap_or(time))
}

/// Go counts from its zero time, the year 1.
fn rounded(time: Time, unit: i64, half_up: bool) -> Value {
    if unit <= 0 {
        return Value::PlainTime(time);
    }
    let unit = i128::from(unit);
    let zero = i128::from(days_from_civil(1, 1, 1)) * 86_400 * i128::from(SECOND);
    let rest = (time.as_nanos() - zero).rem_euclid(unit);
    let up = half_up && rest + rest >= unit;
    moved(time, time.as_nanos() - rest + if up { unit } else { 0 })
}

fn round(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return nanos;
    }
    let (nanos, unit) = (i128::from(nanos), i128::from(unit));
    let rest = (nanos % unit).abs();
    let away = if rest + rest < unit { -rest } else { unit - rest };
    let rounded = if nanos < 0 { nanos - away } else { nanos + away };
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}
