//! Blocks that are served from another bucket, as Parquet.

use async_trait::async_trait;
use serde_json::Value;

use super::{Filter, Round};
use crate::fetcher::{BlockState, View};

const EXTENSION: &str = "parquet_migrated";

/// Hides blocks whose extensions say `parquet_migrated: true`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParquetMigrated;

#[async_trait]
impl Filter for ParquetMigrated {
    async fn apply(&self, _: &Round<'_>, view: &mut View) {
        let migrated = |value: &Value| value.get(EXTENSION).and_then(Value::as_bool).unwrap_or(false);
        let hidden: Vec<_> = view
            .metas
            .iter()
            .filter(|(_, meta)| migrated(&meta.thanos.extensions))
            .map(|(block, _)| *block)
            .collect();
        for block in hidden {
            view.drop_block(block, BlockState::ParquetMigrated);
        }
    }
}
