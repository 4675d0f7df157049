//! What a store says about itself: the part of `Info` that selection goes by.

use storeapi::LabelBytes;
use storeapi::info::{StoreInfo, TsdbInfo};
use storeapi::thanos::LabelSet;

/// Where data of one label set lie in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The external labels.
    pub labels: LabelBytes,
    /// Milliseconds since the epoch.
    pub min_time: i64,
    /// Milliseconds since the epoch.
    pub max_time: i64,
}

/// A store in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The external labels of its data; empty where it has none or does not know.
    pub label_sets: Vec<LabelBytes>,
    /// The earliest time of which it may have samples, milliseconds since the epoch.
    pub min_time: i64,
    /// The latest.
    pub max_time: i64,
    /// Whether `shard_info` is obeyed.
    pub supports_sharding: bool,
    /// Whether `without_replica_labels` is obeyed.
    pub supports_without_replica_labels: bool,
    /// Where which label sets lie.
    pub extents: Vec<Extent>,
}

impl About {
    /// A store of which nothing is known: it may have anything, and obeys nothing.
    pub fn whole() -> Self {
        About {
            label_sets: Vec::new(),
            min_time: i64::MIN,
            max_time: i64::MAX,
            supports_sharding: false,
            supports_without_replica_labels: false,
            extents: Vec::new(),
        }
    }

    /// As `Info` tells it.
    pub fn to_info(&self) -> StoreInfo {
        let extent = |extent: &Extent| TsdbInfo {
            labels: Some(LabelSet { labels: extent.labels.to_messages() }),
            min_time: extent.min_time,
            max_time: extent.max_time,
        };
        StoreInfo {
            min_time: self.min_time,
            max_time: self.max_time,
            supports_sharding: self.supports_sharding,
            supports_without_replica_labels: self.supports_without_replica_labels,
            tsdb_infos: self.extents.iter().map(extent).collect(),
            supports_projections: false,
        }
    }

    /// The label sets as `Info` tells them.
    pub fn label_set_messages(&self) -> Vec<LabelSet> {
        self.label_sets.iter().map(|set| LabelSet { labels: set.to_messages() }).collect()
    }

    /// Out of the answer of `Info`.
    pub fn from_info(label_sets: &[LabelSet], info: &StoreInfo) -> Self {
        let read = |set: &LabelSet| {
            let mut pairs: Vec<_> =
                set.labels.iter().map(|label| (label.name.as_bytes(), label.value.as_bytes())).collect();
            pairs.sort_unstable();
            LabelBytes::from_pairs(pairs)
        };
        let extent = |info: &TsdbInfo| Extent {
            labels: info.labels.as_ref().map(read).unwrap_or_default(),
            min_time: info.min_time,
            max_time: info.max_time,
        };
        About {
            label_sets: label_sets.iter().map(read).collect(),
            min_time: info.min_time,
            max_time: info.max_time,
            supports_sharding: info.supports_sharding,
            supports_without_replica_labels: info.supports_without_replica_labels,
            extents: info.tsdb_infos.iter().map(extent).collect(),
        }
    }
}
