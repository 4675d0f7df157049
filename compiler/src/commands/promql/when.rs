//! The times at which a query is evaluated, as flags.

use anyhow::{Context, anyhow, bail};
use prom_model::{PromDuration, TimestampMs, parse_time};
use promql::QueryRange;

/// One time, or many.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct When {
    /// Evaluate once, at this time: seconds since the epoch or RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with_all = ["start", "end", "step"])]
    time: Option<String>,
    /// Evaluate at many times: the first
    #[arg(long, value_name = "TIME", requires_all = ["end", "step"])]
    start: Option<String>,
    /// The last
    #[arg(long, value_name = "TIME", requires = "start")]
    end: Option<String>,
    /// The distance between two, a duration or seconds
    #[arg(long, value_name = "DURATION", requires = "start")]
    step: Option<String>,
}

impl When {
    /// The times; at `default` if none are given.
    pub(super) fn range(&self, default: TimestampMs) -> anyhow::Result<QueryRange> {
        let (Some(start), Some(end), Some(step)) = (&self.start, &self.end, &self.step) else {
            let time = self.time.as_deref().map_or(Ok(default), |text| time("--time", text))?;
            return Ok(QueryRange::Instant { time: time.as_millis() });
        };
        let (start, end) = (time("--start", start)?, time("--end", end)?);
        let step = step_of(step)?;
        if end < start {
            bail!("`--end` is before `--start`");
        }
        if step <= PromDuration::ZERO {
            bail!("`--step` is not above zero");
        }
        Ok(QueryRange::Range { start: start.as_millis(), end: end.as_millis(), step: step.as_millis() })
    }
}

fn time(flag: &str, text: &str) -> anyhow::Result<TimestampMs> {
    parse_time(text).ok_or_else(|| anyhow!("`{flag} {text}` is neither seconds since the epoch nor RFC 3339"))
}

fn step_of(text: &str) -> anyhow::Result<PromDuration> {
    if let Ok(seconds) = text.parse::<f64>()
        && (seconds * 1_000.0).abs() < 9.0e15
    {
        return Ok(PromDuration::from_millis((seconds * 1_000.0) as i64));
    }
    text.parse().with_context(|| format!("`--step {text}`"))
}
