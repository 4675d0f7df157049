//! Blocks outside of a range of time.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use prom_model::{DurationError, PromDuration, TimestampMs};

use super::{Filter, Round};
use crate::GoTime;
use crate::fetcher::{BlockState, View};
use crate::go_time::GoTimeError;

/// One end of a range of time: a point, or so far from now, as in `-2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeBound {
    /// A point in time.
    At(TimestampMs),
    /// So much later than now; earlier if negative.
    FromNow(PromDuration),
}

/// A text that is neither a time nor a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither a time of RFC 3339 nor a duration from now, as in -2h")]
pub struct TimeBoundError {
    text: String,
    #[source]
    source: DurationError,
}

impl TimeBound {
    /// The point in time, which moves with `now` where it was given as a duration.
    pub const fn resolve(self, now: TimestampMs) -> TimestampMs {
        match self {
            TimeBound::At(time) => time,
            TimeBound::FromNow(duration) => now.saturating_add(duration),
        }
    }
}

impl FromStr for TimeBound {
    type Err = TimeBoundError;

    fn from_str(text: &str) -> Result<Self, TimeBoundError> {
        let time: Result<GoTime, GoTimeError> = text.parse();
        if let Ok(time) = time {
            return Ok(TimeBound::At(time.to_timestamp()));
        }
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let duration: PromDuration = digits
            .parse()
            .map_err(|source| TimeBoundError { text: text.chars().take(64).collect(), source })?;
        Ok(TimeBound::FromNow(PromDuration::from_millis(sign * duration.as_millis())))
    }
}

impl fmt::Display for TimeBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeBound::At(time) => GoTime::from(*time).fmt(f),
            TimeBound::FromNow(duration) => duration.fmt(f),
        }
    }
}

/// Hides blocks that have no sample from `min` to `max`, both included; `--min-time`, `--max-time`.
#[derive(Debug, Clone, Copy)]
pub struct TimeRange {
    /// The earliest time that is of interest.
    pub min: TimeBound,
    /// The latest.
    pub max: TimeBound,
}

#[async_trait]
impl Filter for TimeRange {
    async fn apply(&self, round: &Round<'_>, view: &mut View) {
        let (min, max) = (self.min.resolve(round.now).as_millis(), self.max.resolve(round.now).as_millis());
        let outside = view
            .metas
            .iter()
            .filter(|(_, meta)| meta.block.max_time < min || meta.block.min_time > max)
            .map(|(block, _)| *block);
        for block in outside.collect::<Vec<_>>() {
            view.drop_block(block, BlockState::TimeExcluded);
        }
    }
}
