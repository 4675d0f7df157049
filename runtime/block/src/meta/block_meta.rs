//! The part of a meta.json that Prometheus writes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tsdb::BlockId;

use crate::go_json::null_as_default;

/// What Prometheus says of a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMeta {
    pub ulid: BlockId,
    #[serde(default)]
    pub min_time: i64,
    #[serde(default)]
    pub max_time: i64,
    #[serde(default)]
    pub stats: BlockStats,
    #[serde(default)]
    pub compaction: Compaction,
    #[serde(default)]
    pub version: i64,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BlockStats {
    #[serde(skip_serializing_if = "is_zero")]
    pub num_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_float_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_histogram_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_series: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_chunks: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_tombstones: u64,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Compaction {
    pub level: i64,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<BlockId>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deletable: bool,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<BlockDescription>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockDescription {
    pub ulid: BlockId,
    pub min_time: i64,
    pub max_time: i64,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
