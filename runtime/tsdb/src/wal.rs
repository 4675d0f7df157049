//! The write-ahead log: every change of the head, in the order in which it was acknowledged.
//!
//! [`Wal`] writes, [`RecordReader`] reads a log from its start, [`LiveReader`] follows one that somebody else writes,
//! [`record`] gives the bytes of a record their meaning, [`checkpoint`] replaces old segments by what is still needed of
//! them. The same log under the name `wbl` takes the samples that arrive out of order. Bytes: `docs/wal.md`.

pub mod checkpoint;
mod fragment;
mod live;
mod reader;
pub mod record;
mod repair;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

pub use live::LiveReader;
pub use reader::{LogEnd, RecordReader, RecordStart, SegmentReader};
pub use repair::{RepairError, Repaired, cut_torn_tail, set_aside};
pub(crate) use repair::{free_name, replace};
pub use segment::{PAGE_SIZE, SEGMENT_SIZE, SegmentFile, segment_name, segments};
pub(crate) use segment::{numbered, report_name};
pub use writer::{Compression, LogError, Position, Wal, WalOptions};
