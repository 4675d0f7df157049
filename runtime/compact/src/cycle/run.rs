//! The queues, one after the other or each at its own pace.

use futures::future::join_all;
use prom_model::PromDuration;
use tokio_util::sync::CancellationToken;

use super::Compactor;
use super::outcome::{Outcome, Queue};
use super::views::chain;

impl Compactor {
    /// Goes through all queues once, in Thanos' order: compaction until nothing is left, downsampling, retention, deletion of
    /// uploads that were given up. A queue that fails does not keep the next from its work.
    ///
    /// What failed is in the outcome and is tried again by a later call, once its pause is over. It is to be waited for by a thread
    /// of its own (`block_on`), not spawned: much is done between two calls of the bucket.
    pub async fn run_once(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for queue in Queue::ALL {
            outcome.add(self.run_queue(queue).await);
            if outcome.halted.is_some() {
                return outcome;
            }
        }
        if outcome.is_success() {
            self.metrics.iterations.inc();
        }
        outcome
    }

    /// Goes through one queue once.
    pub async fn run_queue(&self, queue: Queue) -> Outcome {
        let outcome = match queue {
            Queue::Compaction => self.compact().await,
            Queue::Downsampling if !self.config.downsampling => Outcome::default(),
            Queue::Downsampling => self.downsample().await,
            Queue::Retention => self.retain().await,
            Queue::Deletion => self.clean_up().await,
        };
        if let Some(why) = &outcome.halted {
            self.metrics.halted.set(1);
            self.book().halt(Some(why.clone()));
            tracing::error!(error = why, "critical error detected; halting");
        } else if queue == Queue::Compaction {
            // Whatever it was, it is over.
            self.metrics.halted.set(0);
            self.book().halt(None);
        }
        outcome
    }

    /// Lets each queue go at its own pace until it is told to stop; what is being done is then dropped, and taken up by the next
    /// process. After a halt (`--compact.halt-compat`) nothing more is done, and this waits to be stopped.
    pub async fn run(&self, stop: &CancellationToken) {
        let halted = stop.child_token();
        let cadence = self.config.cadence;
        let queues = Queue::ALL.map(|queue| {
            let pause = if queue == Queue::Deletion { cadence.cleanup } else { cadence.wait };
            self.repeat_queue(queue, pause, &halted)
        });
        let all = futures::future::join(join_all(queues), self.repeat_progress(cadence.progress, &halted));
        tokio::select! {
            _ = all => {}
            () = stop.cancelled() => {}
        }
        stop.cancelled().await;
    }

    async fn repeat_queue(&self, queue: Queue, pause: PromDuration, halted: &CancellationToken) {
        while !pause.is_zero() {
            let outcome = tokio::select! {
                outcome = self.run_queue(queue) => outcome,
                () = halted.cancelled() => return,
            };
            if outcome.halted.is_some() {
                halted.cancel();
                return;
            }
            if queue == Queue::Compaction && outcome.is_success() {
                self.metrics.iterations.inc();
            }
            tokio::select! {
                () = tokio::time::sleep(pause.to_std()) => {}
                () = halted.cancelled() => return,
            }
        }
    }

    async fn repeat_progress(&self, pause: PromDuration, halted: &CancellationToken) {
        while !pause.is_zero() {
            let counted = tokio::select! {
                counted = self.count_todo() => counted,
                () = halted.cancelled() => return,
            };
            if let Err(error) = counted {
                tracing::warn!(error = chain(&error), "did not count what is to be done");
            }
            tokio::select! {
                () = tokio::time::sleep(pause.to_std()) => {}
                () = halted.cancelled() => return,
            }
        }
    }
}
