//! A block: its folder, its meta.json, its segments of chunks, its tombstones.
//!
//! [`BlockReader`] opens a block from a folder or from any files, [`BlockWriter`] writes one, [`BlockMeta`] is its meta.json.
//! The bytes are drawn in `docs/block.md`.

mod digest;
mod examine;
mod go_json;
mod meta;
mod reader;
mod repair;
mod segment_writer;
mod segments;
mod tombstones;
mod writer;

pub use digest::{BlockDigest, DigestError, write_digest};
pub use examine::{BlockFiles, Counts, Examination, Problem, ProblemKind, Problems, examine};
pub use go_json::{to_go_json, to_go_json_compact};
pub use meta::{BlockDescription, BlockMeta, BlockStats, Compaction};
pub use reader::{BlockReader, BlockScan};
pub use repair::{RepairError, repair};
pub use segment_writer::{SEGMENT_BYTES_MAX, SegmentWriter};
pub use segments::{CHUNK_BYTES_MAX, ChunkReader, Segments, StoredChunk, decode_chunk};
pub use tombstones::{Interval, Tombstones};
pub use writer::{BlockWriteError, BlockWriter, ChunkData};

/// The name of a block's index in its folder.
pub const INDEX_FILE: &str = "index";
/// The name of a block's description in its folder.
pub const META_FILE: &str = "meta.json";
/// The name of a block's tombstones in its folder; most blocks have none.
pub const TOMBSTONES_FILE: &str = "tombstones";
/// The folder of a block's segments.
pub const CHUNKS_FOLDER: &str = "chunks";

/// The name of a segment relative to its block; segment 0 is `chunks/000001`.
pub fn segment_name(segment: u32) -> String {
    format!("{CHUNKS_FOLDER}/{:06}", u64::from(segment) + 1)
}
