//! Blocks of a few series and samples, and what is in a block of a bucket in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use block::{BlockId, Downsample, Meta, Resolution, Source, Thanos, layout};
use bytes::Bytes;
use objstore::{Bucket, Put, read_all};
use serde_json::Map;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones, segment_name};
use tsdb::chunk::{Aggregate, AggregateChunk, Columns, Encoding, Order, XorAppender, decode_floats};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::index::{LabelArena, SymbolTable};
use tsdb::stored::StoredFile;

pub(super) const HOUR: i64 = 3_600_000;

/// A sample: series, time, the bits of the value.
pub(super) type Sample = (u8, i64, u64);

/// What is in a block. Of a raw block its samples; of a coarser one, series and windows of five minutes or an hour, by their
/// last millisecond, with the number of samples that they are made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Contents {
    pub(super) raw: BTreeSet<Sample>,
    pub(super) windows: BTreeMap<(u8, i64), u64>,
}

/// The value of a series at a time: the same wherever it was scraped.
fn value(series: u8, time: i64) -> f64 {
    f64::from(series) * 1e6 + (time / 60_000 % 100_000) as f64
}

/// The samples of a range: so many of each series, evenly.
pub(super) fn samples(series: &[u8], range: (i64, i64), count: i64) -> BTreeSet<Sample> {
    let step = ((range.1 - range.0) / count).max(1);
    let times = (0..count).map(|at| range.0 + at * step);
    let of_series = |time| series.iter().map(move |series| (*series, time, value(*series, time).to_bits()));
    times.flat_map(of_series).collect()
}

/// Metadata of a block that a sidecar has cut.
pub(super) fn meta(id: BlockId, cluster: &str, range: (i64, i64)) -> Meta {
    let labels = [("cluster".to_owned(), cluster.to_owned())].into();
    let downsample = Downsample { resolution: Resolution::RAW, extra: Map::new() };
    let thanos = Thanos { version: 1, labels, downsample, source: Source::Sidecar, ..Thanos::default() };
    Meta { block: BlockMeta::new(id, range.0, range.1), thanos }
}

/// Writes a block into a folder of a disk; gives its metadata with the counts.
pub(super) fn write(disk: &SimFs, parent: &Path, meta: &Meta, samples: &BTreeSet<Sample>) -> Meta {
    disk.create_dir_all(parent).unwrap();
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let all: BTreeSet<u8> = samples.iter().map(|(series, _, _)| *series).collect();
    let names: BTreeMap<u8, String> = all.iter().map(|series| (*series, format!("s{series}"))).collect();
    let texts = ["__name__"].into_iter().chain(names.values().map(String::as_str));
    let symbols = Arc::new(texts.collect::<SymbolTable>());
    let find = |text: &str| symbols.find(text).unwrap();
    let mut writer = BlockWriter::create(fs, parent, meta.id(), Arc::clone(&symbols)).unwrap();
    for (series, name) in &names {
        let of_series: Vec<&Sample> = samples.iter().filter(|(of, _, _)| of == series).collect();
        let mut chunk = XorAppender::new();
        for (_, time, bits) in &of_series {
            assert!(chunk.append(*time, f64::from_bits(*bits)));
        }
        let data = chunk.into_bytes();
        let chunk = ChunkData {
            min_time: of_series[0].1,
            max_time: of_series[of_series.len() - 1].1,
            encoding: Encoding::Xor,
            data: &data,
        };
        writer.add_series(&[(find("__name__"), find(name))], &[chunk]).unwrap();
    }
    let block = writer.finish(meta.block.clone(), &Tombstones::default()).unwrap().unwrap();
    Meta { block, thanos: meta.thanos.clone() }
}

/// Puts a block into a bucket as if it had always been there.
pub(super) async fn put(bucket: &dyn Bucket, meta: &Meta, samples: &BTreeSet<Sample>) {
    let disk = SimFs::new();
    let parent = Path::new("/blocks");
    let mut meta = write(&disk, parent, meta, samples);
    let folder = parent.join(meta.id().to_string());
    let mut files = Vec::new();
    for path in [segment_name(0), layout::INDEX.to_owned()] {
        let bytes = disk.contents(&folder.join(&path)).unwrap();
        let size_bytes = bytes.len() as u64;
        files.push(block::FileEntry { rel_path: path.clone(), size_bytes, ..Default::default() });
        let name = layout::object(meta.id(), &path);
        bucket.put(&name, Arc::new(Bytes::from(bytes)), Put::Replace).await.unwrap();
    }
    meta.thanos.files = files;
    let name = layout::object(meta.id(), layout::META);
    let body = Arc::new(Bytes::from(meta.to_bytes().unwrap()));
    bucket.put(&name, body, Put::Replace).await.unwrap();
}

/// Reads all of a block that is visible.
pub(super) async fn read(bucket: &dyn Bucket, meta: &Meta) -> Result<Contents, String> {
    let file = async |path: &str| -> Result<StoredFile, String> {
        let name = layout::object(meta.id(), path);
        let bytes = read_all(bucket, &name, 1 << 24).await.map_err(|error| format!("{name}: {error}"))?;
        let listed = meta.thanos.files.iter().find(|file| file.rel_path == path);
        if listed.is_none_or(|listed| listed.size_bytes != bytes.len() as u64) {
            return Err(format!("{name} has {} bytes, not as listed", bytes.len()));
        }
        Ok(StoredFile::new(path, Arc::new(bytes)))
    };
    let (index, segment) = (file(layout::INDEX).await?, file(&segment_name(0)).await?);
    let words = |corruption: tsdb::Corruption| format!("{}: {corruption}", meta.id());
    let block = BlockReader::from_files(meta.block.clone(), index, vec![segment], None).map_err(words)?;
    let mut contents = Contents::default();
    let mut scan = block.scan().map_err(words)?;
    let (mut cache, mut arena) = (block.index().symbol_cache(), LabelArena::default());
    while let Some(series) = scan.next_series().map_err(words)? {
        let chunks = series.chunks.len();
        cache.resolve(&series.labels, &mut arena).map_err(words)?;
        let series: u8 = arena.value("__name__").trim_start_matches('s').parse().unwrap();
        for at in 0..chunks {
            let (_, chunk) = scan.chunk_at(at).map_err(words)?.unwrap();
            let mut columns = Columns::default();
            if Encoding::from_u8(chunk.encoding).unwrap() == Encoding::Aggregate {
                let aggregates = AggregateChunk::new(chunk.data).unwrap();
                let count = aggregates.get(Aggregate::Count).unwrap();
                decode_floats(count.encoding, count.data, Order::Rising, &mut columns).unwrap();
                for (time, count) in columns.iter() {
                    let window = window_of(time, meta.thanos.downsample.resolution);
                    *contents.windows.entry((series, window)).or_default() += count as u64;
                }
            } else {
                decode_floats(Encoding::Xor, chunk.data, Order::Rising, &mut columns).unwrap();
                let found = columns.iter().map(|(time, value)| (series, time, value.to_bits()));
                contents.raw.extend(found);
            }
        }
    }
    Ok(contents)
}

/// The last millisecond of the window that a time is in.
pub(super) fn window_of(time: i64, resolution: Resolution) -> i64 {
    let width = resolution.0.max(1);
    time.div_euclid(width) * width + width - 1
}

/// The windows that samples fill.
pub(super) fn windows(samples: &BTreeSet<Sample>, resolution: Resolution) -> BTreeMap<(u8, i64), u64> {
    let mut windows = BTreeMap::new();
    for (series, time, _) in samples {
        *windows.entry((*series, window_of(*time, resolution))).or_default() += 1;
    }
    windows
}
