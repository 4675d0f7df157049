//! How long to wait before a process that has ended is started again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// First wait.
const FIRST: Duration = Duration::from_millis(500);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// Who lived as long as this starts from the first wait again.
const ALIVE: Duration = Duration::from_secs(60);
/// Ends within [`ALIVE`] that make a process a failing one.
const FAILING: usize = 5;

/// The ends of one process.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    ends: VecDeque<Instant>,
    in_a_row: u32,
}

impl Backoff {
    /// Notes an end after some time alive, and says how long to wait.
    pub(super) fn ended(&mut self, now: Instant, alive: Duration) -> Duration {
        if alive >= ALIVE {
            *self = Backoff::default();
        }
        self.ends.push_back(now);
        while self.ends.len() > FAILING {
            self.ends.pop_front();
        }
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(self.in_a_row.min(16))).min(LONGEST);
        self.in_a_row += 1;
        if self.is_failing() { LONGEST } else { wait }
    }

    /// Whether it ended too often in a short time.
    pub(super) fn is_failing(&self) -> bool {
        match (self.ends.front(), self.ends.back()) {
            (Some(first), Some(last)) => {
                self.ends.len() == FAILING && last.duration_since(*first) < ALIVE || self.in_a_row > 7
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_until_it_fails() {
        let (start, mut backoff) = (Instant::now(), Backoff::default());
        let wait = |backoff: &mut Backoff, at: u64| {
            backoff.ended(start + Duration::from_secs(at), Duration::from_secs(1)).as_millis()
        };
        let waits: Vec<u128> = (0..4).map(|at| wait(&mut backoff, at)).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000]);
        assert!(!backoff.is_failing());
        assert_eq!(wait(&mut backoff, 10), 30_000);
        assert!(backoff.is_failing());
        assert_eq!(wait(&mut backoff, 41), 30_000);
    }

    #[test]
    fn a_minute_of_life_makes_good() {
        let (start, mut backoff) = (Instant::now(), Backoff::default());
        for at in 0..5 {
            backoff.ended(start + Duration::from_secs(at), Duration::ZERO);
        }
        assert!(backoff.is_failing());
        assert_eq!(backoff.ended(start + Duration::from_secs(90), ALIVE), FIRST);
        assert!(!backoff.is_failing());
    }
}
