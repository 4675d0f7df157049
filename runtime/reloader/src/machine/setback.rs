//! What the process did not want, and when to try it again.

use std::time::Duration;

use tokio::time::Instant;

use crate::candidate::Hash;
use crate::status::Problem;

/// The pause after the first refusal; doubles with each further one of the same files.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30 * 60);

/// A candidate that was refused, or that the process did not survive.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) hash: Hash,
    pub(super) problem: Problem,
    times: u32,
    until: Instant,
}

impl Setback {
    /// Notes a refusal at `now`, after an earlier one perhaps.
    pub(super) fn note(earlier: Option<Self>, hash: Hash, problem: Problem, now: Instant) -> Self {
        let times = earlier.filter(|earlier| earlier.hash == hash).map_or(1, |earlier| earlier.times + 1);
        let pause = PAUSE.saturating_mul(1 << (times - 1).min(10)).min(PAUSE_MAX);
        Self { hash, problem, times, until: now + pause }
    }

    /// How long to leave these files alone still; `None` when it is time, or when they are others.
    pub(super) fn pause(&self, hash: &Hash, now: Instant) -> Option<Duration> {
        (self.hash == *hash && now < self.until).then(|| self.until - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_for_the_same_files_and_end_for_others() {
        let problem = || Problem {
            reason: "refused".into(),
            file: None,
            line: None,
            column: None,
            message: String::new(),
        };
        let now = Instant::now();
        let first = Setback::note(None, [1; 32], problem(), now);
        assert_eq!(first.pause(&[1; 32], now), Some(PAUSE));
        assert_eq!(first.pause(&[2; 32], now), None);
        assert_eq!(first.pause(&[1; 32], now + PAUSE), None);
        let mut again = Setback::note(Some(first), [1; 32], problem(), now);
        assert_eq!(again.pause(&[1; 32], now), Some(PAUSE * 2));
        for _ in 0..20 {
            again = Setback::note(Some(again), [1; 32], problem(), now);
        }
        assert_eq!(again.pause(&[1; 32], now), Some(PAUSE_MAX));
        assert_eq!(Setback::note(Some(again), [2; 32], problem(), now).pause(&[2; 32], now), Some(PAUSE));
    }
}
