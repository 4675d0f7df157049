//! Numbers of bytes as Thanos' flags and YAML have them: `250MB`, `2GiB`, `1GB512MB`; every unit is a power of 1024.

use std::str::FromStr;

use serde::Deserialize;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct GoBytes(pub(crate) u64);

/// A text that is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no number of bytes; write it with its unit, as in 250MB")]
pub(crate) struct BytesError(String);

const UNITS: [(&str, u64); 13] = [
    ("B", 1),
    ("KB", 1 << 10),
    ("KiB", 1 << 10),
    ("MB", 1 << 20),
    ("MiB", 1 << 20),
    ("GB", 1 << 30),
    ("GiB", 1 << 30),
    ("TB", 1 << 40),
    ("TiB", 1 << 40),
    ("PB", 1 << 50),
    ("PiB", 1 << 50),
    ("EB", 1 << 60),
    ("EiB", 1 << 60),
];

impl FromStr for GoBytes {
    type Err = BytesError;

    fn from_str(text: &str) -> Result<Self, BytesError> {
        let wrong = || BytesError(text.chars().take(64).collect());
        if text == "0" {
            return Ok(GoBytes(0));
        }
        let mut rest = text;
        let mut all = 0u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, behind) = tail.split_at(end);
            let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            let bytes = match number.parse::<u64>() {
                Ok(number) => number.checked_mul(*unit).ok_or_else(wrong)?,
                Err(_) => {
                    let number: f64 = number.parse().map_err(|_| wrong())?;
                    (number * *unit as f64) as u64
                }
            };
            all = all.checked_add(bytes).ok_or_else(wrong)?;
            rest = behind;
        }
        if text.is_empty() { Err(wrong()) } else { Ok(GoBytes(all)) }
    }
}

impl TryFrom<String> for GoBytes {
    type Error = BytesError;

    fn try_from(text: String) -> Result<Self, BytesError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("250MB", Some(250 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1.5KB", Some(1536)),
            ("1KB512B", Some(1536)),
            ("7B", Some(7)),
            ("", None),
            ("12", None),
            ("MB", None),
            ("1XB", None),
            ("99999999EB", None),
        ] {
            assert_eq!(text.parse::<GoBytes>().ok().map(|bytes| bytes.0), bytes, "{text}");
        }
    }
}
