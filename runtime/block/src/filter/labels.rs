//! Blocks of other shards, and the labels that tell replicas apart.

use std::sync::Arc;

use async_trait::async_trait;
use prom_model::{RelabelConfig, process};

use super::{Filter, Round};
use crate::fetcher::{BlockState, View};

/// The label by which relabelling rules see the ID of a block.
pub const BLOCK_ID_LABEL: &str = "__block_id";

/// Hides blocks of which relabelling leaves no label; `--selector.relabel-config`.
#[derive(Debug, Clone, Default)]
pub struct LabelShard {
    /// The rules; none of them hides nothing.
    pub rules: Vec<RelabelConfig>,
    /// Labels that are not looked at, so that the replicas of a stream fall into one shard.
    pub without: Vec<String>,
}

#[async_trait]
impl Filter for LabelShard {
    async fn apply(&self, _: &Round<'_>, view: &mut View) {
        if self.rules.is_empty() {
            return;
        }
        let mut hidden = Vec::new();
        for (block, meta) in &view.metas {
            let mut labels = meta.thanos.external_labels();
            for name in &self.without {
                labels.remove(name);
            }
            labels.set(BLOCK_ID_LABEL, block.to_string());
            if process(&self.rules, labels).is_none_or(|left| left.is_empty()) {
                hidden.push(*block);
            }
        }
        for block in hidden {
            view.drop_block(block, BlockState::LabelExcluded);
        }
    }
}

/// Takes replica labels off the blocks, so that the replicas of a stream fall into one group;
/// `--deduplication.replica-label`.
#[derive(Debug, Clone, Default)]
pub struct ReplicaLabels {
    /// The names of the labels.
    pub names: Vec<String>,
}

#[async_trait]
impl Filter for ReplicaLabels {
    async fn apply(&self, _: &Round<'_>, view: &mut View) {
        for meta in view.metas.values_mut() {
            let labels = &meta.thanos.labels;
            if !self.names.iter().any(|name| labels.contains_key(name)) {
                continue;
            }
            // The copy that the fetcher keeps stays as it is.
            let thanos = &mut Arc::make_mut(meta).thanos;
            thanos.labels.retain(|name, _| !self.names.contains(name));
            if thanos.labels.is_empty()
                && let Some(first) = self.names.first()
            {
                thanos.labels.insert(first.clone(), "deduped".to_owned());
            }
            view.without_replica_labels += 1;
        }
    }
}
