//! What the store says about itself.

use std::collections::BTreeMap;

use storeapi::LabelBytes;

use super::state::State;
use crate::{About, Extent};

/// Describes what is served; times are clamped to those that the store is for.
pub(super) fn about(state: &State, min_time: i64, max_time: i64) -> About {
    let mut by_labels: BTreeMap<LabelBytes, Vec<(i64, i64)>> = BTreeMap::new();
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for block in state.blocks.values() {
        let labels = LabelBytes::from_labels(&block.external);
        by_labels.entry(labels).or_default().push((block.min_time(), block.max_time()));
        first = first.min(block.min_time());
        last = last.max(block.max_time());
    }
    let label_sets = state.sets.iter().map(|set| LabelBytes::from_labels(&set.labels)).collect();
    let mut extents = Vec::new();
    for (labels, mut times) in by_labels {
        times.sort_by_key(|(min_time, _)| *min_time);
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (min_time, max_time) in times {
            match merged.last_mut() {
                // Thanos takes the end of the block that begins last, and so forgets what a longer one before it holds.
                Some(current) if min_time <= current.1 => current.1 = current.1.max(max_time),
                _ => merged.push((min_time, max_time)),
            }
        }
        let extent = |(min_time, max_time)| Extent { labels: labels.clone(), min_time, max_time };
        extents.extend(merged.into_iter().map(extent));
    }
    About {
        label_sets,
        min_time: first.max(min_time),
        max_time: last.min(max_time),
        supports_sharding: true,
        supports_without_replica_labels: true,
        extents,
    }
}
