//! Durations as the originals' flags and settings have them: Go's `time.ParseDuration`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

/// A duration that is not negative: `90s`, `1m30s`, `1.5h`, `500ms`, `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct GoDuration(pub Duration);

/// A text that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no duration; write it as 90s, 1m30s or 500ms")]
pub struct InvalidDuration(String);

impl From<GoDuration> for Duration {
    fn from(duration: GoDuration) -> Self {
        duration.0
    }
}

impl TryFrom<String> for GoDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration(text.to_owned());
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut rest = text;
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(invalid());
        }
        let numeric = |c: char| c.is_ascii_digit() || c == '.';
        while !rest.is_empty() {
            let digits = rest.find(|c| !numeric(c)).ok_or_else(invalid)?;
            let (number, tail) = rest.split_at(digits);
            let (unit, tail) = tail.split_at(tail.find(numeric).unwrap_or(tail.len()));
            let number: f64 = number.parse().map_err(|_| invalid())?;
            let seconds = match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" | "μs" => 1e-6,
                "ns" => 1e-9,
                _ => return Err(invalid()),
            };
            total = Duration::try_from_secs_f64(number * seconds)
                .ok()
                .and_then(|part| total.checked_add(part))
                .ok_or_else(invalid)?;
            rest = tail;
        }
        Ok(Self(total))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        let parse = |text: &str| text.parse::<GoDuration>().map(|duration| duration.0.as_millis()).ok();
        for (text, milliseconds) in
            [("3m", 180_000), ("1m30s", 90_000), ("1.5h", 5_400_000), ("500ms", 500), ("0", 0), ("0s", 0)]
        {
            assert_eq!(parse(text), Some(milliseconds), "{text}");
        }
        for text in ["", "5", "1d", "-1s", "s", "1..5s", "1h30", "99999999999999999999h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
