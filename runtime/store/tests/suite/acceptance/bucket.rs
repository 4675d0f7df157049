//! The store gateway keeps the contract.
#![expect(clippy::disallowed_methods, reason = "blocks are given the labels that a sidecar gives them")]

use std::path::Path;
use std::sync::Arc;

use block::{BlockId, Meta};
use store::acceptance::{Dataset, Part, TestSeries, Traits};
use storeapi::{Aggregate, LabelBytes};
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::Encoding;
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

use super::passes_with;
use crate::suite::bucket::{folder, served};

/// Writes a block of a part's samples from one time to another, the last not included; whether there are any.
fn write(bucket: &Path, number: u64, part: &Part, (from, to): (i64, i64)) -> bool {
    let mut series: Vec<&TestSeries> = part.series.iter().collect();
    series.sort_by_cached_key(|series| {
        LabelBytes::from_pairs(series.labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    });
    let mut symbols = SymbolTableBuilder::default();
    let labels: Vec<Vec<(u32, u32)>> = series
        .iter()
        .map(|series| {
            series.labels.iter().map(|(name, value)| (symbols.add(name), symbols.add(value))).collect()
        })
        .collect();
    let (table, numbers) = symbols.build();
    let id = BlockId::new(number, 1);
    let mut writer = BlockWriter::create(Arc::new(RealFs), bucket, id, Arc::new(table)).unwrap();
    for (series, labels) in series.into_iter().zip(labels) {
        let inside = |time: &i64| (from..to).contains(time);
        let samples = series.samples.iter().filter(|(time, _)| inside(time)).copied().collect();
        let part = TestSeries { labels: Vec::new(), samples };
        let chunks = part.chunks();
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|chunk| ChunkData {
                min_time: chunk.min_time,
                max_time: chunk.max_time,
                encoding: Encoding::Xor,
                data: &chunk.parts.get(Aggregate::Raw).unwrap().data,
            })
            .collect();
        if chunks.is_empty() {
            continue;
        }
        let symbol = |number: u32| numbers[number as usize];
        let labels: Vec<(u32, u32)> =
            labels.into_iter().map(|(name, value)| (symbol(name), symbol(value))).collect();
        writer.add_series(&labels, &chunks).unwrap();
    }
    if writer.finish(BlockMeta::new(id, from, to), &Tombstones::default()).unwrap().is_none() {
        return false;
    }
    let path = bucket.join(id.to_string()).join("meta.json");
    let mut meta = Meta::from_bytes(&std::fs::read(&path).unwrap()).unwrap();
    meta.thanos.labels = part.external.iter().cloned().collect();
    std::fs::write(&path, meta.to_bytes().unwrap()).unwrap();
    true
}

/// Writes blocks that end at these times, of all parts; how many there are.
fn blocks(bucket: &Path, data: &Dataset, ends: &[i64]) -> usize {
    let (mut number, mut written) = (0, 0);
    for part in &data.parts {
        let mut from = store::acceptance::START;
        for to in ends {
            number += 1;
            written += usize::from(write(bucket, number, part, (from, *to)));
            from = *to;
        }
    }
    written
}

async fn passes(ends: &[i64], series_batch: usize) {
    for data in [Dataset::one(), Dataset::several()] {
        let bucket = tempfile::tempdir().unwrap();
        let written = blocks(bucket.path(), &data, ends);
        let (store, _folder) =
            served(folder(bucket.path()), |config| config.series_batch = series_batch).await;
        assert_eq!(store.blocks(), written);
        // As the original, it has nothing to look for then.
        passes_with(store, &data, Traits { external_alone: false, ..Traits::NONE }).await;
    }
}

const AT: fn(i64) -> i64 = |step| store::acceptance::START + step * store::acceptance::STEP;

#[tokio::test]
async fn one_block() {
    passes(&[AT(1000)], 10_000).await;
}

#[tokio::test]
async fn several_blocks_read_in_small_pieces() {
    passes(&[AT(20), AT(35), AT(300), AT(1000)], 3).await;
}
