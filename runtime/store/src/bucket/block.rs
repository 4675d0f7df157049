//! A block in the bucket that is served.

use std::sync::Arc;

use block::{Meta, layout};
use prom_model::{Labels, Matcher};
use tsdb::BlockId;
use tsdb::block::segment_name;

use super::header::HeaderSlot;

/// What is known of a block without reading it, and its index-header.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) id: BlockId,
    pub(super) meta: Arc<Meta>,
    /// The external labels.
    pub(super) external: Labels,
    pub(super) header: HeaderSlot,
}

/// What a chunk of a block takes at most, unless its metadata says otherwise.
const CHUNK_BYTES: u64 = 16_000;
/// What a series takes, unless its metadata says otherwise; more is read again.
const SERIES_BYTES: u64 = 4 << 10;
/// The label by which matchers of hints see the ID of a block.
const BLOCK_ID_LABEL: &str = block::filter::BLOCK_ID_LABEL;

impl Block {
    pub(super) fn new(meta: Arc<Meta>, header: HeaderSlot) -> Self {
        Block { id: meta.id(), external: meta.thanos.external_labels(), meta, header }
    }

    /// The first time of which it may have samples, milliseconds.
    pub(super) fn min_time(&self) -> i64 {
        self.meta.block.min_time
    }

    /// The time before which its last sample is, milliseconds.
    pub(super) fn max_time(&self) -> i64 {
        self.meta.block.max_time
    }

    /// How its samples are spaced, milliseconds.
    pub(super) fn resolution(&self) -> i64 {
        self.meta.thanos.downsample.resolution.0
    }

    /// Whether it may have samples from `min` to `max`, both included.
    pub(super) fn overlaps(&self, min: i64, max: i64) -> bool {
        self.min_time() <= max && min < self.max_time()
    }

    /// Whether matchers over the external labels and the block's ID say yes.
    pub(super) fn is_matched(&self, matchers: &[Matcher]) -> bool {
        let id = self.id.to_string();
        matchers.iter().all(|matcher| {
            let value = match matcher.name() {
                BLOCK_ID_LABEL => id.as_str(),
                name => self.external.get(name).unwrap_or(""),
            };
            matcher.matches(value)
        })
    }

    /// The object of the index.
    pub(super) fn index_object(&self) -> String {
        layout::object(self.id, layout::INDEX)
    }

    /// The object of a segment, counted from 0.
    pub(super) fn segment_object(&self, segment: u32) -> String {
        layout::object(self.id, &segment_name(segment))
    }

    /// How many bytes are read of a chunk of which it is not known where it ends.
    pub(super) fn chunk_bytes(&self) -> u64 {
        // Length and checksum are not counted there.
        estimate(self.meta.thanos.index_stats.chunk_max_size, 16, CHUNK_BYTES)
    }

    /// How many bytes are read of a series of which it is not known where it ends.
    pub(super) fn series_bytes(&self) -> u64 {
        estimate(self.meta.thanos.index_stats.series_max_size, 16, SERIES_BYTES)
    }
}

fn estimate(stated: i64, more: u64, usual: u64) -> u64 {
    u64::try_from(stated).ok().filter(|stated| *stated > 0).map_or(usual, |stated| (stated + more).min(usual))
}
