//! What a run has done.

use std::fmt;

use serde::Serialize;
use tsdb::BlockId;

/// A queue of a compactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Queue {
    /// Many blocks become few; what is left over is marked.
    Compaction,
    /// Coarser resolutions are made.
    Downsampling,
    /// What is too old is marked.
    Retention,
    /// What was marked or given up is deleted.
    Deletion,
}

impl Queue {
    /// All of them, in the order in which a single run goes through them.
    pub const ALL: [Queue; 4] = [Queue::Compaction, Queue::Downsampling, Queue::Retention, Queue::Deletion];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Queue::Compaction => "compaction",
            Queue::Downsampling => "downsampling",
            Queue::Retention => "retention",
            Queue::Deletion => "deletion",
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a run over some queues has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How often all groups were gone through.
    pub passes: u64,
    /// Blocks that were made by compaction.
    pub compacted: Vec<BlockId>,
    /// Blocks that were made by downsampling.
    pub downsampled: Vec<BlockId>,
    /// Blocks that were written anew because they were damaged: the old one, the new one, and the reason.
    pub repaired: Vec<(BlockId, BlockId, String)>,
    /// Blocks that were set aside, and the reason.
    pub set_aside: Vec<(BlockId, String)>,
    /// Blocks that were marked for deletion.
    pub marked: Vec<BlockId>,
    /// Blocks that were deleted.
    pub deleted: Vec<BlockId>,
    /// What failed and is to be tried again: the queue, the group or block, the error.
    pub failures: Vec<(Queue, String, String)>,
    /// Jobs that others were working on.
    pub taken: u64,
    /// Why nothing more is done (`--compact.halt-compat`).
    pub halted: Option<String>,
}

impl Outcome {
    /// Whether nothing failed. Damaged blocks are no failure: they were set aside.
    pub const fn is_success(&self) -> bool {
        self.failures.is_empty() && self.halted.is_none()
    }

    /// Whether anything in the bucket was changed.
    pub const fn has_changed(&self) -> bool {
        !(self.compacted.is_empty()
            && self.downsampled.is_empty()
            && self.repaired.is_empty()
            && self.set_aside.is_empty()
            && self.marked.is_empty()
            && self.deleted.is_empty())
    }

    /// Adds what another run has done.
    pub fn add(&mut self, other: Outcome) {
        self.passes = self.passes.saturating_add(other.passes);
        self.compacted.extend(other.compacted);
        self.downsampled.extend(other.downsampled);
        self.repaired.extend(other.repaired);
        self.set_aside.extend(other.set_aside);
        self.marked.extend(other.marked);
        self.deleted.extend(other.deleted);
        self.failures.extend(other.failures);
        self.taken = self.taken.saturating_add(other.taken);
        self.halted = self.halted.take().or(other.halted);
    }
}
