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

/// How long a query has run so far, or is thought to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Short,
    Medium,
    Long,
}

/// The queries that are evaluated now.
#[derive(Debug)]
pub(super) struct Turns {
    running: Mutex<BTreeMap<u64, Class>>,
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
        self.lock().insert(id, least);
        let (begun, waited, place) = (Instant::now(), AtomicU64::new(0), Mutex::new(place));
        Turn { turns: Arc::clone(self), id, least, begun, waited, place, cancel }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Class>> {
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
    /// Microseconds.
    waited: AtomicU64,
    place: Mutex<Option<OwnedSemaphorePermit>>,
    cancel: Cancel,
}

impl Turn {
    fn class(&self) -> Class {
        let ran =
            self.begun.elapsed().saturating_sub(Duration::from_micros(self.waited.load(Ordering::Relaxed)));
        let class = match ran {
            ran if ran < SHORT => Class::Short,
            ran if ran < MEDIUM => Class::Medium,
            _ => Class::Long,
        };
        class.max(self.least)
    }

    /// Whether the query may go on: no short one is there, and few others are before it.
    fn may_go(&self, running: &BTreeMap<u64, Class>, class: Class) -> bool {
        let mut before = 0;
        for (id, other) in running {
            if *other == Class::Short {
                return false;
            }
            if (*other, *id) < (class, self.id) {
                before += 1;
            }
        }
        before < self.turns.width
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
        if let Some(known) = running.get_mut(&self.id)
            && *known != class
        {
            *known = class;
            self.turns.changed.notify_all();
            if self.least == Class::Short {
                // It was taken for a short one: others may begin in its place.
                self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
        }
        if self.may_go(&running, class) {
            return;
        }
        let begun = Instant::now();
        while begun.elapsed() < WAIT_MAX && !self.cancel.is_cancelled() && !self.may_go(&running, class) {
            let woken = self.turns.changed.wait_timeout(running, LOOK);
            running = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(running);
        let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(waited, Ordering::Relaxed);
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
        assert!(first.may_go(&turns.lock(), Class::Long));
        assert!(!second.may_go(&turns.lock(), Class::Long));
        let short = begin(Class::Short);
        assert!(!first.may_go(&turns.lock(), Class::Long));
        drop(short);
        drop(first);
        assert!(second.may_go(&turns.lock(), Class::Long));
    }

    #[test]
    fn nobody_waits_who_was_cancelled() {
        let turns = Turns::new(1);
        let cancel = Cancel::default();
        let _first = turns.begin(Class::Long, None, Cancel::default());
        let second = turns.begin(Class::Long, None, cancel.clone());
        cancel.cancel();
        second.pass();
        assert_eq!(second.waited.load(Ordering::Relaxed) / 50_000, 0);
    }
}
