//! Times in JSON: RFC 3339 with nanoseconds.

use prost_types::Timestamp;
use serde::{Deserialize, Deserializer};

/// A time, the zero time of Go where there is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonTime(Timestamp);

/// Seconds from 0001-01-01 to 1970-01-01.
const GO_ZERO: i64 = -62_135_596_800;

impl Default for JsonTime {
    fn default() -> Self {
        JsonTime(Timestamp { seconds: GO_ZERO, nanos: 0 })
    }
}

impl JsonTime {
    pub(super) const fn message(self) -> Option<Timestamp> {
        Some(self.0)
    }
}

impl<'de> Deserialize<'de> for JsonTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
        if nanos < 0 {
            seconds -= 1;
            nanos += 1_000_000_000;
        }
        Ok(JsonTime(Timestamp { seconds, nanos }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_and_zones_are_kept() {
        for (text, seconds, nanos) in [
            ("2026-11-22T15:27:09.713155476Z", 1_795_361_229, 713_155_476),
            ("2026-11-22T16:27:09+01:00", 1_795_361_229, 0),
            ("1969-12-31T23:59:59.25Z", -1, 250_000_000),
            ("0001-01-01T00:00:00Z", GO_ZERO, 0),
        ] {
            let time: JsonTime = serde_json::from_str(&format!("{text:?}")).expect("a time");
            assert_eq!(time.0, Timestamp { seconds, nanos }, "{text}");
        }
        assert!(serde_json::from_str::<JsonTime>("\"yesterday\"").is_err());
    }
}
