//! Durations as Go prints them; marks and tables contain such.

/// Milliseconds as Go prints a duration: `2h0m0s`, `1.5s`, `500ms`, `0s`.
pub fn go_duration(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let total = millis.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < 1000 {
        return format!("{sign}{total}ms");
    }
    let (seconds, rest) = (total / 1000, total % 1000);
    let fraction = match rest {
        0 => String::new(),
        rest => format!(".{rest:03}").trim_end_matches('0').to_owned(),
    };
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}{fraction}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}{fraction}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::go_duration;

    #[test]
    fn as_go_prints() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (999, "999ms"),
            (1500, "1.5s"),
            (60_000, "1m0s"),
            (90_250, "1m30.25s"),
            (7_200_000, "2h0m0s"),
            (-7_200_000, "-2h0m0s"),
            (1_209_600_000, "336h0m0s"),
        ] {
            assert_eq!(go_duration(millis), text);
        }
    }
}
