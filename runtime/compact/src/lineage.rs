//! Keeps retention from deleting the last copy of samples that are promised to be kept in a coarser resolution.
//!
//! Thanos deletes a block once it is older than its own resolution is kept, whether or not the next coarser one was ever made.
//! [`Guard`] lets a block go only when the blocks of the coarser resolution that is kept longer hold all that it was made from
//! and all of its range of time. What it holds back it names, with what is missing, so that downsampling can be told to make it.

mod coverage;
mod decide;
mod held;

use std::borrow::Cow;

use tsdb::BlockId;
use tsdb::block::BlockMeta;

pub use coverage::Gap;
pub use decide::{Bucketful, Decision, Guard};
pub use held::{Held, HeldBecause};

/// The blocks of level 1 that a block was made from. One that does not say is its own: it was made from nothing that is known
/// to anybody else.
pub fn sources_of(meta: &BlockMeta) -> Cow<'_, [BlockId]> {
    match meta.compaction.sources.as_slice() {
        [] => Cow::Owned(vec![meta.ulid]),
        sources => Cow::Borrowed(sources),
    }
}

#[cfg(test)]
mod tests;
