//! The object beside a mark that says what was found.

use std::sync::Arc;

use block::findings::Finding;
use block::layout;
use bytes::Bytes;
use objstore::{Bucket, BucketError, Put};
use prom_model::TimestampMs;
use serde::Serialize;
use tsdb::BlockId;

/// The name of the object in the folder of a block. Components of Thanos do not read it, and delete it with the block.
pub const EVIDENCE: &str = "compact-evidence.json";

/// What was found in a block, by whom, and what can be done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Evidence<'a> {
    /// The version of this shape, 1.
    pub(crate) version: u32,
    /// The block.
    pub(crate) block: BlockId,
    /// The mark that was written because of it.
    pub(crate) marker: &'a str,
    /// The reason in the mark.
    pub(crate) reason: &'a str,
    /// What was found.
    pub(crate) findings: &'a [Finding],
    /// The group, in words.
    pub(crate) group: &'a str,
    /// What was being done: the blocks that were to become one, this one among them.
    pub(crate) job: Vec<BlockId>,
    /// When, in milliseconds since the epoch.
    pub(crate) found_at: i64,
    /// The program that found it.
    pub(crate) found_by: &'a str,
    /// What to run.
    pub(crate) run: Vec<String>,
}

/// What to run about a block.
pub(crate) fn commands(block: BlockId, marker: &str) -> Vec<String> {
    vec![
        format!("pronoiad tools bucket verify --id={block} --objstore.config-file=BUCKET"),
        format!(
            "pronoiad tools bucket verify --repair --id={block} --objstore.config-file=BUCKET --objstore-backup.config-file=BACKUP"
        ),
        format!(
            "pronoiad tools bucket mark --id={block} --marker={marker} --remove --objstore.config-file=BUCKET"
        ),
        format!(
            "pronoiad tools bucket mark --id={block} --marker=deletion-mark.json --details=damaged --objstore.config-file=BUCKET"
        ),
    ]
}

impl<'a> Evidence<'a> {
    /// Evidence of this moment.
    pub(crate) fn new(
        block: BlockId,
        (marker, reason): (&'a str, &'a str),
        findings: &'a [Finding],
        (group, job): (&'a str, Vec<BlockId>),
        now: TimestampMs,
    ) -> Self {
        Evidence {
            version: 1,
            block,
            marker,
            reason,
            findings,
            group,
            job,
            found_at: now.as_millis(),
            found_by: concat!("pronoiad ", env!("CARGO_PKG_VERSION")),
            run: commands(block, marker),
        }
    }
}

/// Writes the evidence over what was found before.
pub(crate) async fn write_evidence(bucket: &dyn Bucket, evidence: &Evidence<'_>) -> Result<(), BucketError> {
    // Texts and numbers: nothing here can refuse to be written.
    let bytes = serde_json::to_vec_pretty(evidence).unwrap_or_default();
    let name = layout::object(evidence.block, EVIDENCE);
    bucket.put(&name, Arc::new(Bytes::from(bytes)), Put::Replace).await.map(drop)
}
