//! Long queries wait for short ones, between two pieces of their work, and give way to them within.

pub(super) mod priority;

use std::cell::Cell;
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
/// So often one who waits shows up.
const LOOK: Duration = Duration::from_millis(5);
/// No wait lasts longer: what is never short still goes on.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// So often a thread of a query that is not short looks whether it may go on.
const BETWEEN_LOOKS: Duration = Duration::from_micros(200);

/// For so long after a short query the others hand their processor over at each look. What wakes on a processor where another
/// thread runs waits for the kernel's tick otherwise, four milliseconds on many machines, whatever its priority.
const HANDS_OVER: Duration = Duration::from_secs(1);
/// When a processor comes back only after so long, others than short queries want it too.
const TAKEN: Duration = Duration::from_micros(4500);
/// It is kept for so long then, and longer each time until it comes back sooner.
const KEPT_MIN: Duration = Duration::from_millis(5);
const KEPT_MAX: Duration = Duration::from_millis(320);

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

#[derive(Debug, Default)]
struct Running {
    queries: BTreeMap<u64, Known>,
    /// When the last short query ended.
    short: Option<Instant>,
}

impl Running {
    /// Whether short queries come, so that more of them are to be thought of.
    fn short_lately(&self) -> bool {
        self.short.is_some_and(|ended| ended.elapsed() < HANDS_OVER)
    }
}

/// The queries that are evaluated now.
#[derive(Debug)]
pub(crate) struct Turns {
    running: Mutex<Running>,
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

    /// A query has come, and is thought to be short until it starts.
    pub(super) fn begin(self: &Arc<Self>, cancel: Cancel) -> Turn {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        self.lock().queries.insert(id, Known { class: Class::Short, seen: begun });
        let (passed, ran, place) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(None));
        Turn { turns: Arc::clone(self), id, least: Class::Short, begun, passed, ran, place, cancel }
    }

    /// Waits while short queries are there, not for ever.
    pub(crate) async fn give_way(&self) {
        let begun = Instant::now();
        let short = |known: &Known| known.class == Class::Short && known.seen.elapsed() < SHORT;
        while begun.elapsed() < WAIT_MAX && self.lock().queries.values().any(short) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets all who wait look again: one of them was cancelled.
    pub(super) fn look(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one query among the others; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
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
    /// This query and all others.
    pub(crate) fn turns(&self) -> Arc<Turns> {
        Arc::clone(&self.turns)
    }

    /// The query waits for a place: nobody waits for it.
    pub(super) fn leave(&self) {
        self.turns.lock().queries.remove(&self.id);
        self.turns.changed.notify_all();
    }

    /// The query runs from now on; its class never becomes a shorter one than `least`. What was taken for a short one gives its
    /// place back when it turns out to be none.
    pub(super) fn start(&mut self, least: Class, place: Option<OwnedSemaphorePermit>) {
        self.least = least;
        self.place = Mutex::new(place);
        self.turns.lock().queries.insert(self.id, Known { class: least, seen: Instant::now() });
        self.passed.store(micros(self.begun.elapsed()), Ordering::Relaxed);
    }

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
    fn may_go(&self, running: &Running, class: Class) -> bool {
        let mut before = 0;
        for (id, other) in &running.queries {
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
    fn wait(&self, mut running: MutexGuard<'_, Running>, class: Class) -> bool {
        let begun = Instant::now();
        let mut may = self.may_go(&running, class);
        while !may && begun.elapsed() < WAIT_MAX && !self.cancel.is_cancelled() {
            let woken = self.turns.changed.wait_timeout(running, LOOK);
            running = woken.unwrap_or_else(PoisonError::into_inner).0;
            if let Some(known) = running.queries.get_mut(&self.id) {
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
        if NEXT_LOOK.get().is_some_and(|next| Instant::now() < next) {
            return;
        }
        let mut running = self.turns.lock();
        if let Some(known) = running.queries.get_mut(&self.id) {
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
        let hands_over = running.short_lately();
        self.wait(running, class);
        if hands_over {
            hand_over();
        }
        NEXT_LOOK.set(Some(Instant::now() + BETWEEN_LOOKS));
        self.passed.store(micros(self.begun.elapsed()), Ordering::Relaxed);
    }
}

thread_local! {
    static NEXT_LOOK: Cell<Option<Instant>> = const { Cell::new(None) };
    static KEPT: Cell<Option<Kept>> = const { Cell::new(None) };
}

/// A processor that is not handed over for a while.
#[derive(Clone, Copy)]
struct Kept {
    until: Instant,
    time: Duration,
}

/// Lets others have the processor, unless they took much of it a moment ago.
fn hand_over() {
    let (begun, kept) = (Instant::now(), KEPT.get());
    if kept.is_some_and(|kept| begun < kept.until) {
        return;
    }
    std::thread::yield_now();
    let taken = begun.elapsed() >= TAKEN;
    let time = kept.map_or(KEPT_MIN, |kept| (kept.time * 2).min(KEPT_MAX));
    KEPT.set(taken.then(|| Kept { until: Instant::now() + time, time }));
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut running = self.turns.lock();
        if running.queries.remove(&self.id).is_some_and(|known| known.class == Class::Short) {
            running.short = Some(Instant::now());
        }
        drop(running);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(turns: &Arc<Turns>, class: Class) -> Turn {
        let mut turn = turns.begin(Cancel::default());
        turn.start(class, None);
        turn
    }

    #[test]
    fn what_is_large_waits_for_what_is_short_and_for_those_before_it() {
        let turns = Turns::new(1);
        let begin = |class| begun(&turns, class);
        let (first, second) = (begin(Class::Long), begin(Class::Long));
        let may_go = |turn: &Turn| {
            let mut running = turns.lock();
            // All of them show up now.
            running.queries.values_mut().for_each(|known| known.seen = Instant::now());
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
        let begin = |class| begun(&turns, class);
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
        let own = begun(&turns, Class::Short);
        tokio::time::advance(MEDIUM * 10).await;
        assert_eq!(own.class(), Class::Medium, "it may have run for as long as nobody can tell");
        for _ in 0..25 {
            tokio::time::advance(ABSENT).await;
            own.class();
        }
        assert_eq!(own.class(), Class::Long);
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_waits_for_its_place_keeps_nobody_waiting() {
        let turns = Turns::new(1);
        let (long, mut own) = (begun(&turns, Class::Long), turns.begin(Cancel::default()));
        assert!(!long.may_go(&turns.lock(), Class::Long), "it may be a short one");
        own.leave();
        assert!(long.may_go(&turns.lock(), Class::Long));
        tokio::time::advance(MEDIUM).await;
        own.start(Class::Short, None);
        assert!(!long.may_go(&turns.lock(), Class::Long));
        assert_eq!(own.class(), Class::Short, "it waited, but did not run");
    }

    #[tokio::test(start_paused = true)]
    async fn processors_are_handed_over_while_short_queries_come() {
        let turns = Turns::new(1);
        drop(begun(&turns, Class::Long));
        assert!(!turns.lock().short_lately());
        drop(begun(&turns, Class::Short));
        assert!(turns.lock().short_lately());
        tokio::time::advance(HANDS_OVER).await;
        assert!(!turns.lock().short_lately());
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_written_on_when_short_queries_never_end() {
        let turns = Turns::new(1);
        turns.give_way().await;
        let _short = begun(&turns, Class::Short);
        let begun = Instant::now();
        turns.give_way().await;
        assert!(begun.elapsed() >= SHORT && begun.elapsed() <= WAIT_MAX * 2, "{:?}", begun.elapsed());
    }

    #[test]
    fn nobody_waits_who_was_cancelled() {
        let turns = Turns::new(1);
        let cancel = Cancel::default();
        let _first = begun(&turns, Class::Long);
        let mut second = turns.begin(cancel.clone());
        second.start(Class::Long, None);
        cancel.cancel();
        assert!(!second.wait(turns.lock(), Class::Long));
    }
}
