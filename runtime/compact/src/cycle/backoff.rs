//! When a group or block that failed is tried again.

use std::collections::BTreeMap;

use prom_model::{PromDuration, TimestampMs};

/// The first pause; each failure doubles it.
const PAUSE_MIN: PromDuration = PromDuration::from_mins(1);
/// The longest pause.
const PAUSE_MAX: PromDuration = PromDuration::from_hours(1);

/// Remembers what failed.
#[derive(Debug, Default)]
pub(super) struct Backoff(BTreeMap<String, Paused>);

#[derive(Debug)]
struct Paused {
    failures: u32,
    until: TimestampMs,
}

impl Backoff {
    /// Whether it is too early to try again.
    pub(super) fn is_paused(&self, what: &str, now: TimestampMs) -> bool {
        // A clock that was set back must not make a pause of years.
        self.0.get(what).is_some_and(|paused| now < paused.until && paused.until.since(now) <= PAUSE_MAX)
    }

    /// Notes a failure; gives the time of the next attempt.
    pub(super) fn failed(&mut self, what: &str, now: TimestampMs) -> TimestampMs {
        let paused = self.0.entry(what.to_owned()).or_insert(Paused { failures: 0, until: now });
        let doubled = PAUSE_MIN.as_millis().saturating_mul(1 << paused.failures.min(10));
        paused.failures = paused.failures.saturating_add(1);
        paused.until = now.saturating_add(PromDuration::from_millis(doubled.min(PAUSE_MAX.as_millis())));
        paused.until
    }

    /// Notes a success.
    pub(super) fn succeeded(&mut self, what: &str) {
        self.0.remove(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        let start = TimestampMs::from_millis(0);
        let minutes: Vec<i64> = (0..9).map(|_| backoff.failed("0@7", start).as_millis() / 60_000).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(backoff.is_paused("0@7", start));
        assert!(!backoff.is_paused("0@7", TimestampMs::from_millis(3_600_000)));
        assert!(!backoff.is_paused("0@7", TimestampMs::from_millis(-3_600_000)));
        assert!(!backoff.is_paused("0@8", start));
        backoff.succeeded("0@7");
        assert!(!backoff.is_paused("0@7", start));
    }
}
