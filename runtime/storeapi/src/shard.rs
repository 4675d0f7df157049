//! Vertical shards: which part of the series a request is for.

use crate::LabelBytes;
use crate::thanos::ShardInfo;

/// A part of all series, chosen by the hash of some of their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    total: u64,
    by: bool,
    labels: Vec<String>,
}

impl Shard {
    /// The shard that a request names; `None` where it is for all series.
    pub fn new(info: Option<&ShardInfo>) -> Option<Self> {
        let info = info?;
        let total = u64::try_from(info.total_shards).ok().filter(|total| *total > 0)?;
        let mut labels = info.labels.clone();
        labels.sort_unstable();
        // A negative index names no shard.
        let index = u64::try_from(info.shard_index).unwrap_or(u64::MAX);
        Some(Shard { index, total, by: info.by, labels })
    }

    /// Whether a series belongs to it: xxhash64 over the labels listed (`by`) or all but those, modulo the number of shards.
    pub fn has(&self, series: &LabelBytes) -> bool {
        let listed = |name: &[u8]| self.labels.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok();
        series.hash_of(|name| listed(name) == self.by) % self.total == self.index
    }
}
