//! Times and numbers as Go's programs print them.

/// A time in whole seconds, RFC 3339, UTC; outside of the years that a calendar has, the number of seconds.
pub(crate) fn time(millis: i64) -> String {
    let seconds = millis / 1000;
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("@{seconds}"),
    }
}

/// A number with a comma between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints() {
        assert_eq!(time(1_704_067_200_999), "2024-01-01T00:00:00Z");
        assert_eq!(time(i64::MAX), "@9223372036854775");
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (786_786, "786,786"), (1_234_567, "1,234,567")]
        {
            assert_eq!(thousands(number), text);
        }
    }
}
