//! The queue of deletions: blocks that were marked long enough ago, and uploads that were given up.

use block::{DeletionDecision, DeletionError, DeletionPlan, StoreTime, View, decide_deletion};
use error_kind::{ErrorKind, Kind};
use tsdb::BlockId;

use super::Compactor;
use super::claims::{Claimed, Held};
use super::error::{JobFailure, QueueError};
use super::outcome::{Outcome, Queue};
use super::views::chain;

/// The name under which the queue is claimed.
const CLAIM: &str = "deletion";

impl Compactor {
    /// Deletes what was marked and what was given up.
    pub(super) async fn clean_up(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let done = async {
            let view = self.views.fresh().await?;
            self.delete_marked(&view, &mut outcome).await?;
            self.delete_partial(&view, &mut outcome).await
        };
        match done.await {
            Ok(()) => {
                self.metrics.cleanup_loops.inc();
                self.book().queue(Queue::Deletion, self.now(), None);
            }
            Err(error) => self.queue_failed(Queue::Deletion, &error, &mut outcome),
        }
        self.claims.clean().await;
        outcome
    }

    /// Deletes the blocks whose mark is old enough by the store's clock.
    pub(super) async fn delete_marked(&self, view: &View, outcome: &mut Outcome) -> Result<(), QueueError> {
        if view.deletion_marks.is_empty() {
            return Ok(());
        }
        let Some(mut held) = self.claim_deletion().await? else { return Ok(()) };
        let done = self.delete_marked_under(view, &mut held, outcome).await;
        held.release().await;
        done
    }

    async fn delete_marked_under(
        &self,
        view: &View,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<(), QueueError> {
        let now = StoreTime::ask(self.bucket.as_ref(), self.clock.as_ref()).await?;
        for block in view.deletion_marks.keys() {
            let decided = decide_deletion(self.bucket.as_ref(), *block, now, self.config.delete_delay).await;
            match decided {
                Ok(DeletionDecision::Delete(plan)) => self.delete(&plan, held, outcome).await?,
                Ok(DeletionDecision::NotYet { .. } | DeletionDecision::NotMarked) => {}
                Err(error) => self.not_deleted(*block, &error, outcome),
            }
        }
        Ok(())
    }

    /// Deletes uploads that nobody goes on with.
    async fn delete_partial(&self, view: &View, outcome: &mut Outcome) -> Result<(), QueueError> {
        let mut partial =
            view.partial.keys().filter(|block| !view.deletion_marks.contains_key(block)).peekable();
        if partial.peek().is_none() {
            return Ok(());
        }
        let now = StoreTime::ask(self.bucket.as_ref(), self.clock.as_ref()).await?;
        let Some(mut held) = self.claim_deletion().await? else { return Ok(()) };
        let mut done = Ok(());
        for block in partial {
            match self.partial.decide(self.bucket.as_ref(), *block, now).await {
                Ok(Some(plan)) => {
                    self.metrics.partial_uploads.inc();
                    tracing::info!(block = %block, "found partially uploaded block; deleting");
                    done = self.delete(&plan, &mut held, outcome).await;
                    if done.is_err() {
                        break;
                    }
                }
                Ok(None) => {}
                Err(error) => self.not_deleted(*block, &error, outcome),
            }
        }
        held.release().await;
        done
    }

    /// Fails only where nothing more may be deleted.
    async fn delete(
        &self,
        plan: &DeletionPlan,
        held: &mut Held,
        outcome: &mut Outcome,
    ) -> Result<(), QueueError> {
        held.confirm().await.map_err(|failure| QueueError::Claim(Box::new(failure)))?;
        match plan.run(self.bucket.as_ref()).await {
            Ok(_) => {
                self.metrics.blocks_cleaned.inc();
                outcome.deleted.push(plan.block);
                tracing::info!(block = %plan.block, "deleted block marked for deletion");
            }
            // Somebody has changed his mind meanwhile, or does it himself.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => self.not_deleted(plan.block, &error, outcome),
        }
        Ok(())
    }

    fn not_deleted(&self, block: BlockId, error: &DeletionError, outcome: &mut Outcome) {
        let words = chain(error);
        self.metrics.cleanup_failures.inc();
        tracing::warn!(block = %block, error = words, "failed to delete a block; will retry in next iteration");
        // A mark that cannot be understood is told with the block, and does not go away by trying again.
        if error.kind() != ErrorKind::Corrupt {
            outcome.failures.push((Queue::Deletion, block.to_string(), words));
        }
    }

    async fn claim_deletion(&self) -> Result<Option<Held>, QueueError> {
        let claimed = self.claims.whole(CLAIM).await;
        match claimed.map_err(|failure: JobFailure| QueueError::Claim(Box::new(failure)))? {
            Claimed::Ours(held) => Ok(Some(held)),
            Claimed::Taken { .. } => Ok(None),
        }
    }
}
