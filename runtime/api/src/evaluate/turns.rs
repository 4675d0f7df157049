//! Long queries wait for short ones, between two pieces of their work, and give way to them within.

mod priority;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use promql::{Cancel, Pace};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// A query that has run for so long is not short any more.
const SHORT: Duration = Duration::from_millis(30);
/// A query that has run for so long waits for all others.
const MEDIUM: Duration = Duration::from_secs(1);
/// So often one who waits looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(5);
/// No wait lasts longer: what is never short still goes on.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// A query that has not shown up for so long waits for its storage: it is not in anybody's way, and does not run.
const ABSENT: Duration = Duration::from_millis(50);

/// How long a query has run so far, or is thought to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Short,
    Medium,
    Long,
}

/// What is known of a query that is evaluated.
#[derive(Debug, Clone, Copy)]
struct Known {
    class: Class,
    /// When it showed up last; of a short one, when it began.
    seen: Instant,
}

/// The queries that are evaluated now.
#[derive(Debug)]
pub(super) struct Turns {
    running: Mutex<BTreeMap<u64, Known>>,
    changed: Condvar,
    next: AtomicU64,
    /// So many queries that are not short go on at the same time.
    width: usize,
}

impl Turns {
    pub(super) fn new(width: usize) -> Arc<Self> {
        priority::usual();
        let (running, changed, next) = (Mutex::default(), Condvar::new(), AtomicU64::new(0));
        Arc::new(Turns { running, changed, next, width: width.max(1) })
    }

    /// A query begins; its class never becomes a shorter one. What was taken for a short one gives its place back when it turns out to be none.
    pub(super) fn begin(
        self: &Arc<Self>,
        least: Class,
        place: Option<OwnedSemaphorePermit>,
        cancel: Cancel,
    ) -> Turn {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        self.lock().insert(id, Known { class: least, seen: begun });
        let (passed, ran, place) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(place));
        Turn { turns: Arc::clone(self), id, least, begun, passed, ran, place, cancel }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Known>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one query among the others; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    id: u64,
    least: Class,
    begun: Instant,
    /// When it showed up last, microseconds after it began.
    passed: AtomicU64,
    /// How long it has run, microseconds; what it waited for others and for its storage does not count.
    ran: AtomicU64,
    place: Mutex<Option<OwnedSemaphorePermit>>,
    cancel: Cancel,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Turn {
    /// Takes down that it runs.
    fn class(&self) -> Class {
        let now = micros(self.begun.elapsed());
        let ran = now.saturating_sub(self.passed.swap(now, Ordering::Relaxed)).min(micros(ABSENT));
        let ran = Duration::from_micros(self.ran.fetch_add(ran, Ordering::Relaxed).saturating_add(ran));
        let class = match ran {
            ran if ran < SHORT => Class::Short,
            ran if ran < MEDIUM => Class::Medium,
            _ => Class::Long,
        };
        class.max(self.least)
    }

    /// Whether the query may go on: no short one is there, and few others are before it.
    fn may_go(&self, running: &BTreeMap<u64, Known>, class: Class) -> bool {
        let mut before = 0;
        for (id, other) in running {
            let unseen = other.seen.elapsed();
            if other.class == Class::Short && unseen < SHORT {
                return false;
            }
            if (other.class, *id) < (class, self.id) && unseen < ABSENT {
                before += 1;
            }
        }
        before < self.turns.width
    }

    /// Waits until the query may go on, not for ever; whether it may.
    fn wait(&self, mut running: MutexGuard<'_, BTreeMap<u64, Known>>, class: Class) -> bool {
        let begun = Instant::now();
        let mut may = self.may_go(&running, class);
        while !may && begun.elapsed() < WAIT_MAX && !self.cancel.is_cancelled() {
            let woken = self.turns.changed.wait_timeout(running, LOOK);
            running = woken.unwrap_or_else(PoisonError::into_inner).0;
            if let Some(known) = running.get_mut(&self.id) {
                known.seen = Instant::now();
            }
            may = self.may_go(&running, class);
        }
        may
    }
}

impl Pace for Turn {
    fn pass(&self) {
        let class = self.class();
        if class == Class::Short {
            return;
        }
        priority::sink(class);
        let mut running = self.turns.lock();
        if let Some(known) = running.get_mut(&self.id) {
            known.seen = Instant::now();
            if known.class != class {
                known.class = class;
                self.turns.changed.notify_all();
                if self.least == Class::Short {
                    // It was taken for a short one: others may begin in its place.
                    self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
                }
            }
        }
        self.wait(running, class);
        self.passed.store(micros(self.begun.elapsed()), Ordering::Relaxed);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().remove(&self.id);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_waits_for_what_is_short_and_for_those_before_it() {
        let turns = Turns::new(1);
        let begin = |class| turns.begin(class, None, Cancel::default());
        let (first, second) = (begin(Class::Long), begin(Class::Long));
        let may_go = |turn: &Turn| {
            let mut running = turns.lock();
            // All of them show up now.
            running.values_mut().for_each(|known| known.seen = Instant::now());
            turn.may_go(&running, Class::Long)
        };
        assert!(may_go(&first));
        assert!(!may_go(&second));
        let short = begin(Class::Short);
        assert!(!may_go(&first));
        drop(short);
        drop(first);
        assert!(may_go(&second));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_query_that_waits_for_its_storage() {
        let turns = Turns::new(1);
        let begin = |class| turns.begin(class, None, Cancel::default());
        let (_short, _long, own) = (begin(Class::Short), begin(Class::Long), begin(Class::Long));
        assert!(!own.may_go(&turns.lock(), Class::Long));
        tokio::time::advance(SHORT).await;
        assert!(!own.may_go(&turns.lock(), Class::Long), "the long one was there a moment ago");
        tokio::time::advance(ABSENT).await;
        assert!(own.may_go(&turns.lock(), Class::Long));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_storage_does_not_make_a_query_long() {
        let turns = Turns::new(1);
        let own = turns.begin(Class::Short, None, Cancel::default());
        tokio::time::advance(MEDIUM * 10).await;
        assert_eq!(own.class(), Class::Medium, "it may have run for as long as nobody can tell");
        for _ in 0..25 {
            tokio::time::advance(ABSENT).await;
            own.class();
        }
        assert_eq!(own.class(), Class::Long);
    }

    #[test]
    fn nobody_waits_who_was_cancelled() {
        let turns = Turns::new(1);
        let cancel = Cancel::default();
        let _first = turns.begin(Class::Long, None, Cancel::default());
        let second = turns.begin(Class::Long, None, cancel.clone());
        cancel.cancel();
        assert!(!second.wait(turns.lock(), Class::Long));
    }
}
