//! The blocks that may become one: of the same external labels and the same resolution.

use std::collections::BTreeMap;
use std::sync::Arc;

use block::{Meta, Resolution, group_key};
use prom_model::Labels;
use serde_json::Value;
use tsdb::BlockId;

use crate::verify::PROVENANCE;

/// Blocks of one stream and one resolution.
#[derive(Debug, Clone)]
pub struct Group {
    /// The key, as in `0@11614692258474290969`; also the name of its folder on the disk.
    pub key: String,
    /// The external labels that all blocks have; without replica labels where these are taken away.
    pub labels: BTreeMap<String, String>,
    /// How the samples are spaced.
    pub resolution: Resolution,
    /// Sorted by the start of their range of time.
    pub blocks: Vec<Arc<Meta>>,
}

/// Sorts blocks into groups, which come in the order of their keys.
pub fn groups(metas: impl IntoIterator<Item = Arc<Meta>>) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for meta in metas {
        let key = group_key(&meta.thanos);
        let group = groups.entry(key.clone()).or_insert_with(|| Group {
            key,
            labels: meta.thanos.labels.clone(),
            resolution: meta.thanos.downsample.resolution,
            blocks: Vec::new(),
        });
        group.blocks.push(meta);
    }
    groups
        .into_values()
        .map(|mut group| {
            group.sort();
            group
        })
        .collect()
}

impl Group {
    /// The group in the words of Thanos' logs, as in `0@{cluster="eu"}`.
    pub fn words(&self) -> String {
        let labels: Labels =
            self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        format!("{}@{labels}", self.resolution)
    }

    /// Takes blocks away, and puts the one in that was made of them.
    pub fn replace(&mut self, gone: &[BlockId], new: Option<Arc<Meta>>) {
        self.blocks.retain(|meta| !gone.contains(&meta.id()));
        self.blocks.extend(new);
        self.sort();
    }

    /// The extensions of a block that is made of these: what all blocks that have any agree to have.
    pub fn extensions(&self) -> Value {
        let mut extensions = self.blocks.iter().filter_map(|meta| meta.thanos.extensions.as_object());
        let Some(mut common) = extensions.next().cloned() else { return Value::Null };
        for other in extensions {
            common.retain(|key, _| other.contains_key(key));
        }
        // It is about its own block.
        common.shift_remove(PROVENANCE);
        if common.is_empty() { Value::Null } else { Value::Object(common) }
    }

    fn sort(&mut self) {
        self.blocks.sort_by_key(|meta| (meta.block.min_time, meta.block.max_time, meta.id()));
    }
}
