//! Whether a source may be marked for deletion because a new block stands for it.

use std::collections::BTreeMap;

use block::filter::is_covered;
use block::{Meta, Resolution};
use tsdb::BlockId;

use super::account::{Account, Imbalance};
use super::disk::OnDisk;
use crate::lineage::sources_of;

/// All that is known of a new block that was made by merging.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The block.
    pub block: BlockId,
    /// What became of the samples of its sources.
    pub account: Account,
    /// How many damages were found when it was read again from the disk.
    pub problems: u64,
    /// How many samples were found then.
    pub samples: u64,
    /// The times of the first sample and the last that were found, milliseconds, both inclusive.
    pub times: Option<(i64, i64)>,
    /// What came of comparing it series by series with its sources.
    pub compared: Compared,
    /// Whether its files and its meta.json were seen in the bucket as they are on the disk.
    pub in_bucket: bool,
}

/// What came of comparing a block series by series with its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compared {
    /// Nobody asked for it.
    #[default]
    NotAsked,
    /// Each series has what its sources have.
    Equal,
    /// It was asked for and failed, or found a difference.
    Differs,
}

/// Why a source must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// The proof is of another block.
    #[error("what is known is of block {0}")]
    OtherBlock(BlockId),
    /// A block does not stand for itself.
    #[error("it is the new block itself")]
    Itself,
    /// The new block was not seen whole in the bucket.
    #[error("the new block was not seen whole in the bucket")]
    NotInBucket,
    /// The new block is damaged.
    #[error("{0} damages were found in the new block")]
    Damaged(u64),
    /// Its external labels are not those of the source.
    #[error("the new block has other external labels")]
    OtherLabels,
    /// Its resolution is not that of the source.
    #[error("the new block has a resolution of {0} ms")]
    OtherResolution(Resolution),
    /// The new block does not say what it was made from.
    #[error("the new block does not say which blocks it was made from")]
    NoSources,
    /// Something that the source was made from is not in the new block.
    #[error("the new block was not made from block {0}")]
    NotASource(BlockId),
    /// The new block's range of time does not have the source's in it.
    #[error("the source lies in {0}..{1}, the new block in {2}..{3}")]
    RangeNotCovered(i64, i64, i64, i64),
    /// The job has not read the source.
    #[error("the source was not read")]
    NotRead,
    /// The job has read a source of that ID that said another range of time.
    #[error("the source was read as one of {0}..{1}")]
    ReadOtherwise(i64, i64),
    /// Fewer samples were read than the source says to have.
    #[error("{read} samples of the source were read, it says to have {said}")]
    ReadShort {
        /// How many were read.
        read: u64,
        /// How many the source says to have.
        said: u64,
    },
    /// Samples went nobody knows where.
    #[error(transparent)]
    Unbalanced(#[from] Imbalance),
    /// Samples were left out because they do not lie in the range of time of the new block: they would be gone.
    #[error("{0} samples lie outside of the range of time of the new block")]
    LeftOutside(u64),
    /// Samples were left out as duplicates, although no two sources share time.
    #[error("{0} samples were left out as duplicates of blocks that share no time")]
    DuplicatesWithoutOverlap(u64),
    /// The job, the metadata and what was found do not agree on the number of samples in the new block.
    #[error("{written} samples were written, {found} found, and the new block says to have {said}")]
    CountDiffers {
        /// By the job.
        written: u64,
        /// When it was read again.
        found: u64,
        /// In its meta.json.
        said: u64,
    },
    /// The new block has samples outside of its range of time, where nobody looks for them.
    #[error("the new block has samples from {0} to {1}, outside of its range of time")]
    Outside(i64, i64),
    /// Its series are not what they should be.
    #[error("the series of the new block are not those of its sources")]
    Differs,
}

impl Proof {
    /// What is known once the new block was read again from the disk.
    pub fn new(account: Account, found: &OnDisk) -> Self {
        Proof {
            block: found.meta.ulid,
            account,
            problems: found.damages,
            samples: found.counts.samples,
            times: found.counts.times,
            compared: Compared::NotAsked,
            in_bucket: false,
        }
    }
}

/// Whether `source` may be marked for deletion because `output`, as it is in the bucket, stands for it.
///
/// Both with the external labels as they are grouped by: without replica labels where these are taken away.
///
/// # Errors
/// [`WhyNot`], the first reason that is found.
pub fn may_mark_source(source: &Meta, output: &Meta, proof: &Proof) -> Result<(), WhyNot> {
    if proof.block != output.id() {
        return Err(WhyNot::OtherBlock(proof.block));
    }
    if source.id() == output.id() {
        return Err(WhyNot::Itself);
    }
    if !proof.in_bucket {
        return Err(WhyNot::NotInBucket);
    }
    if proof.problems > 0 {
        return Err(WhyNot::Damaged(proof.problems));
    }
    same_group(source, output)?;
    is_made_from(source, output)?;
    let (of_source, of_output) = (&source.block, &output.block);
    let read = proof.account.of(source.id()).ok_or(WhyNot::NotRead)?;
    if (read.min_time, read.max_time) != (of_source.min_time, of_source.max_time) {
        return Err(WhyNot::ReadOtherwise(read.min_time, read.max_time));
    }
    // A source that says less than it has is no reason to keep it: all that was read is accounted for.
    if read.samples < of_source.stats.num_samples {
        return Err(WhyNot::ReadShort { read: read.samples, said: of_source.stats.num_samples });
    }
    proof.account.balance()?;
    if proof.account.outside > 0 {
        return Err(WhyNot::LeftOutside(proof.account.outside));
    }
    if proof.account.duplicates > 0 && !proof.account.overlaps() {
        return Err(WhyNot::DuplicatesWithoutOverlap(proof.account.duplicates));
    }
    let (written, found, said) = (proof.account.written, proof.samples, of_output.stats.num_samples);
    if written != found || written != said {
        return Err(WhyNot::CountDiffers { written, found, said });
    }
    if let Some((first, last)) = proof.times
        && (first < of_output.min_time || last >= of_output.max_time)
    {
        return Err(WhyNot::Outside(first, last));
    }
    match proof.compared {
        Compared::Differs => Err(WhyNot::Differs),
        Compared::NotAsked | Compared::Equal => Ok(()),
    }
}

/// Whether a source may be marked for deletion because nothing was left of it and its companions: no block was written.
///
/// # Errors
/// [`WhyNot`], the first reason that is found.
pub fn may_mark_emptied(source: &Meta, account: &Account) -> Result<(), WhyNot> {
    let read = account.of(source.id()).ok_or(WhyNot::NotRead)?;
    if read.samples < source.block.stats.num_samples {
        return Err(WhyNot::ReadShort { read: read.samples, said: source.block.stats.num_samples });
    }
    account.balance()?;
    if account.outside > 0 {
        return Err(WhyNot::LeftOutside(account.outside));
    }
    match account.written {
        0 if account.duplicates == 0 => Ok(()),
        // Of duplicates one always stays.
        0 => Err(WhyNot::DuplicatesWithoutOverlap(account.duplicates)),
        written => Err(WhyNot::CountDiffers { written, found: 0, said: 0 }),
    }
}

fn same_group(source: &Meta, output: &Meta) -> Result<(), WhyNot> {
    let labels = |meta: &Meta| -> BTreeMap<String, String> {
        let labels = meta.thanos.labels.iter().filter(|(_, value)| !value.is_empty());
        labels.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    if labels(source) != labels(output) {
        return Err(WhyNot::OtherLabels);
    }
    let resolution = output.thanos.downsample.resolution;
    if source.thanos.downsample.resolution != resolution {
        return Err(WhyNot::OtherResolution(resolution));
    }
    Ok(())
}

fn is_made_from(source: &Meta, output: &Meta) -> Result<(), WhyNot> {
    let whole = &output.block.compaction.sources;
    if whole.is_empty() {
        return Err(WhyNot::NoSources);
    }
    let parts = sources_of(&source.block);
    if !is_covered(&parts, whole) {
        let missing = parts.iter().find(|part| !whole.contains(part)).copied();
        return Err(WhyNot::NotASource(missing.unwrap_or_else(|| source.id())));
    }
    let (inner, outer) = (&source.block, &output.block);
    if inner.min_time < outer.min_time || inner.max_time > outer.max_time {
        return Err(WhyNot::RangeNotCovered(inner.min_time, inner.max_time, outer.min_time, outer.max_time));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
