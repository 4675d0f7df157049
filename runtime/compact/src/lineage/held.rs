//! Why a block is kept although it is old enough to go.

use std::fmt;

use block::{Meta, Resolution};
use tsdb::BlockId;

use super::coverage::Gap;

/// A block that retention wants to delete and must not.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The block.
    pub block: BlockId,
    /// Its own resolution.
    pub resolution: Resolution,
    /// The coarser resolution that it is kept for.
    pub wanted: Resolution,
    /// What is missing there.
    pub gap: Gap,
    /// Why it is missing, as far as metadata and marks tell.
    pub because: HeldBecause,
}

/// Why the coarser resolution is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum HeldBecause {
    /// It was not made yet; making it out of this block lets the block go.
    NotDownsampled,
    /// The block is marked against downsampling, so nobody makes it.
    MarkedAgainstDownsampling,
    /// The block cannot be read, so nobody can.
    Unusable {
        /// In words.
        why: String,
    },
    /// There are coarser blocks that would hold it, but these cannot be relied on.
    CoarserUnusable {
        /// They.
        blocks: Vec<BlockId>,
    },
}

impl Held {
    pub(super) fn new(meta: &Meta, wanted: Resolution, gap: Gap, because: HeldBecause) -> Self {
        let resolution = meta.thanos.downsample.resolution;
        Held { block: meta.id(), resolution, wanted, gap, because }
    }

    /// Whether downsampling this block now, however short it is, lets it go. Not where there is a coarser block already that cannot
    /// be relied on: it would hide the one that is made.
    pub const fn is_to_be_downsampled(&self) -> bool {
        matches!(self.because, HeldBecause::NotDownsampled)
    }
}

impl fmt::Display for Held {
    /// One sentence for logs and the doctor: what is kept, for what, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { block, resolution, wanted, gap, because } = self;
        write!(f, "block {block} of resolution {resolution} ms is older than it is to be kept, but ")?;
        match (gap.ranges.as_slice(), gap.sources.as_slice()) {
            ([], sources) => write!(f, "the samples of {} of its sources", sources.len())?,
            ([(from, to), rest @ ..], _) => {
                write!(f, "its samples from {from} to {to} ms")?;
                if !rest.is_empty() {
                    write!(f, " and in {} more ranges", rest.len())?;
                }
            }
        }
        write!(f, " are in no block of resolution {wanted} ms, which is kept longer: ")?;
        match because {
            HeldBecause::NotDownsampled => f.write_str("it is to be downsampled first"),
            HeldBecause::MarkedAgainstDownsampling => f.write_str(
                "it has a no-downsample mark; remove the mark, or mark the block for deletion by hand",
            ),
            HeldBecause::Unusable { why } => {
                write!(f, "it cannot be downsampled ({why}); repair it, or mark it for deletion by hand")
            }
            HeldBecause::CoarserUnusable { blocks } => {
                let names: Vec<String> = blocks.iter().map(ToString::to_string).collect();
                let names = names.join(", ");
                write!(
                    f,
                    "{names} cannot be relied on; repair them, or mark them for deletion to have it downsampled again"
                )
            }
        }
    }
}
