//! Small blocks: one series with a sample a minute.

use std::path::Path;
use std::sync::Arc;

use block::{BlockId, FileEntry, Meta, Source, Thanos, layout};
use objstore::Bucket;
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::index::SymbolTable;

use super::world::put;

pub(super) const START: i64 = 1_704_067_200_000;
pub(super) const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
/// Samples in a chunk.
const CHUNK: usize = 120;

/// A block that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) number: u64,
    /// Hours from [`START`].
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) cluster: &'static str,
    pub(super) replica: Option<&'static str>,
    /// By how many milliseconds the samples are late.
    pub(super) offset: i64,
    /// Minutes between samples.
    pub(super) every: i64,
    /// What it was made from, by a compactor that says no more than that; none for a block of a sidecar.
    pub(super) sources: &'static [u64],
}

impl Made {
    pub(super) fn new(number: u64, from: i64, to: i64) -> Self {
        Made { number, from, to, cluster: "eu", replica: None, offset: 0, every: 1, sources: &[] }
    }
}

pub(super) fn id(number: u64) -> BlockId {
    BlockId::new(START as u64 + number, u128::from(number))
}

/// Puts a block into a bucket as a sidecar does.
pub(super) async fn put_block(bucket: &dyn Bucket, made: &Made) {
    let disk = SimFs::new();
    let (parent, id) = (Path::new("/"), id(made.number));
    let symbols: Arc<SymbolTable> = Arc::new(["__name__", "up_total"].into_iter().collect());
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let mut writer = BlockWriter::create(fs, parent, id, Arc::clone(&symbols)).unwrap();
    let (start, end) = (START + made.from * HOUR, START + made.to * HOUR);
    let times: Vec<i64> = (start / MINUTE..end / MINUTE)
        .filter(|minute| minute % made.every == 0)
        .map(|minute| minute * MINUTE + made.offset)
        .collect();
    let encoded: Vec<(i64, i64, Vec<u8>)> = times
        .chunks(CHUNK)
        .map(|times| {
            let mut appender = XorAppender::new();
            for time in times {
                appender.append(*time, ((time - START) / MINUTE) as f64);
            }
            (times[0], times[times.len() - 1], appender.into_bytes())
        })
        .collect();
    let chunks: Vec<ChunkData<'_>> = encoded
        .iter()
        .map(|(min_time, max_time, data)| ChunkData {
            min_time: *min_time,
            max_time: *max_time,
            encoding: Encoding::Xor,
            data,
        })
        .collect();
    let symbol = |text| symbols.find(text).unwrap();
    writer.add_series(&[(symbol("__name__"), symbol("up_total"))], &chunks).unwrap();
    let mut block = writer.finish(BlockMeta::new(id, start, end), &Tombstones::default()).unwrap().unwrap();
    let mut thanos = Thanos { source: Source::Sidecar, ..Thanos::default() };
    if !made.sources.is_empty() {
        block.compaction.level = 2;
        block.compaction.sources = made.sources.iter().map(|number| self::id(*number)).collect();
        thanos.source = Source::Compactor;
    }
    thanos.labels.insert("cluster".to_owned(), made.cluster.to_owned());
    if let Some(replica) = made.replica {
        thanos.labels.insert("replica".to_owned(), replica.to_owned());
    }
    for path in ["chunks/000001", layout::INDEX] {
        let bytes = disk.contents(&Path::new("/").join(id.to_string()).join(path)).unwrap();
        let size_bytes = bytes.len() as u64;
        thanos.files.push(FileEntry { rel_path: path.to_owned(), size_bytes, ..FileEntry::default() });
        put(bucket, &layout::object(id, path), bytes).await;
    }
    thanos.files.push(FileEntry { rel_path: layout::META.to_owned(), ..FileEntry::default() });
    let meta = Meta { block, thanos };
    put(bucket, &layout::object(id, layout::META), meta.to_bytes().unwrap()).await;
}
