//! What became of every sample of the sources of a block.

use serde::{Deserialize, Serialize};
use tsdb::BlockId;
use tsdb::block::BlockMeta;

/// Where the samples of the sources went: what was read was written, deleted, outside or a duplicate.
///
/// A chunk that a tombstone covers wholly counts as read and deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// What was read of each source, in no particular order.
    pub read: Vec<SourceRead>,
    /// Samples that tombstones delete.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deleted: u64,
    /// Samples left out because they lie outside of the new block's range of time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outside: u64,
    /// Samples left out because another source has one of the same series in their place.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duplicates: u64,
    /// Samples in the new block.
    pub written: u64,
}

/// What was read of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRead {
    /// The source.
    pub block: BlockId,
    /// The start of its range of time, milliseconds, inclusive.
    pub min_time: i64,
    /// The end of its range of time, milliseconds, exclusive.
    pub max_time: i64,
    /// Its samples; of aggregates those of the aggregate `count`.
    pub samples: u64,
}

/// An account that does not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{read} samples were read, but {written} written, {deleted} deleted, {outside} outside of the range of time and {duplicates} \
     duplicates"
)]
pub struct Imbalance {
    /// Of all sources.
    pub read: u64,
    /// In the new block.
    pub written: u64,
    /// By tombstones.
    pub deleted: u64,
    /// Of the new block's range of time.
    pub outside: u64,
    /// Of other sources' samples.
    pub duplicates: u64,
}

impl SourceRead {
    /// So many samples of the block that this is the metadata of.
    pub const fn new(meta: &BlockMeta, samples: u64) -> Self {
        SourceRead { block: meta.ulid, min_time: meta.min_time, max_time: meta.max_time, samples }
    }
}

impl Account {
    /// Whether it adds up, exactly.
    ///
    /// # Errors
    /// [`Imbalance`] with the sums; also where they are too large for any block.
    pub fn balance(&self) -> Result<(), Imbalance> {
        let read = self.read.iter().try_fold(0u64, |sum, source| sum.checked_add(source.samples));
        let went = [self.written, self.deleted, self.outside, self.duplicates];
        let went = went.iter().try_fold(0u64, |sum, samples| sum.checked_add(*samples));
        if read.is_some() && read == went {
            return Ok(());
        }
        let Account { deleted, outside, duplicates, written, .. } = *self;
        Err(Imbalance { read: read.unwrap_or(u64::MAX), written, deleted, outside, duplicates })
    }

    /// Whether two of the sources share time, so that there can be duplicates at all.
    pub fn overlaps(&self) -> bool {
        let ranges = self.read.iter().map(|source| (source.min_time, source.max_time));
        let mut ranges: Vec<(i64, i64)> = ranges.filter(|(start, end)| start < end).collect();
        ranges.sort_unstable();
        ranges.iter().zip(ranges.iter().skip(1)).any(|((_, end), (start, _))| start < end)
    }

    /// What was read of a source.
    pub fn of(&self, block: BlockId) -> Option<&SourceRead> {
        self.read.iter().find(|source| source.block == block)
    }
}

const fn is_zero(number: &u64) -> bool {
    *number == 0
}
