//! The threads that queries run on. They are kept for the next query: one that waits is on a processor at once when it is
//! woken, a new one only when those that run there have had their share.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::turns::priority;

/// A thread that had nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// Threads that wait for queries.
#[derive(Default)]
pub(super) struct Threads {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Each has a thread that will take it.
    jobs: VecDeque<Job>,
    threads: usize,
}

impl Threads {
    /// Runs this on a thread that runs nothing else meanwhile and has the usual priority.
    pub(super) fn run(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut waiting = self.lock();
        if waiting.jobs.len() < waiting.threads {
            waiting.jobs.push_back(Box::new(job));
            drop(waiting);
            self.changed.notify_one();
            return Ok(());
        }
        drop(waiting);
        let own = Arc::clone(self);
        let thread = std::thread::Builder::new().name("query".to_owned()).stack_size(promql::STACK_BYTES);
        thread.spawn(move || own.work(Box::new(job)))?;
        Ok(())
    }

    /// Runs one job after another. A thread whose priority has sunk ends: it cannot rise again.
    fn work(&self, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            job();
            next = if priority::sunk() { None } else { self.next() };
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        waiting.threads += 1;
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(waiting, IDLE, |waiting| waiting.jobs.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        waiting.threads -= 1;
        waiting.jobs.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("waiting", &self.lock().threads).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::mpsc::channel;
    use std::thread::ThreadId;

    use super::*;
    use crate::evaluate::turns::Class;

    /// The thread of a job that does this.
    fn thread_of(threads: &Arc<Threads>, job: impl FnOnce() + Send + 'static) -> ThreadId {
        let (sender, receiver) = channel();
        let told = move || {
            job();
            sender.send(std::thread::current().id()).unwrap();
        };
        threads.run(told).unwrap();
        receiver.recv().unwrap()
    }

    fn wait_for_idle(threads: &Threads) {
        while threads.lock().threads == 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_thread_runs_the_next_query_too() {
        let threads = Arc::<Threads>::default();
        let first = thread_of(&threads, || {});
        wait_for_idle(&threads);
        assert_eq!(thread_of(&threads, || {}), first);
    }

    #[test]
    fn a_thread_that_gave_way_runs_nothing_that_is_short() {
        let threads = Arc::<Threads>::default();
        let first = thread_of(&threads, || {});
        wait_for_idle(&threads);
        assert_eq!(thread_of(&threads, || priority::sink(Class::Medium)), first);
        assert_ne!(thread_of(&threads, || {}), first);
    }

    #[test]
    fn nobody_waits_for_the_thread_of_another() {
        let threads = Arc::<Threads>::default();
        for _ in 0..3 {
            let all = Arc::new(Barrier::new(9));
            for _ in 0..8 {
                let all = Arc::clone(&all);
                let meet = move || {
                    all.wait();
                };
                threads.run(meet).unwrap();
            }
            all.wait();
        }
    }

    #[test]
    fn a_query_that_crashes_takes_no_other_with_it() {
        let threads = Arc::<Threads>::default();
        let (sender, receiver) = channel::<()>();
        threads
            .run(move || {
                let _sender = sender;
                std::panic::resume_unwind(Box::new("a crash"));
            })
            .unwrap();
        assert!(receiver.recv().is_err());
        thread_of(&threads, || {});
    }
}
