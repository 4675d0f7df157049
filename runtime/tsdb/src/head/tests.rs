//! What the head promises: the rules of appending, and that what was acknowledged is there after any crash.

mod crash;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use prom_model::{Histogram, Labels, Matcher, Span};

use crate::fs::Fs;
use crate::fs::sim::SimFs;
use crate::wal::record::SeriesRef;

use super::*;

const FOLDER: &str = "/data";
const MINUTE: i64 = 60_000;

/// The samples of a head, or of a head and its blocks, by labels.
type Contents = BTreeMap<String, Vec<Sample>>;

fn contents(head: &Head) -> Contents {
    let snapshot = head.select(&[], i64::MIN, i64::MAX);
    let read = |series: SeriesView<'_>| {
        let labels: Labels = series.labels().collect();
        (labels.to_string(), series.samples(i64::MIN, i64::MAX).unwrap())
    };
    snapshot.series().map(read).collect()
}

fn open(sim: &SimFs, options: HeadOptions) -> (Head, Replay) {
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    Head::open(fs, Path::new(FOLDER), options, i64::MIN, &mut |_| {}).unwrap()
}

fn add(head: &Head, labels: &[(&str, &str)], timestamp: i64, value: f64) -> SeriesRef {
    let mut appender = head.appender();
    let series = appender.series(labels).unwrap();
    appender.append(series, timestamp, value).unwrap();
    appender.commit().unwrap();
    series
}

fn histogram(count: u64) -> Histogram {
    Histogram {
        schema: 2,
        zero_threshold: 0.001,
        count: 2 * count,
        sum: count as f64,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_buckets: vec![count as i64, 0],
        ..Histogram::default()
    }
}

fn float(timestamp: i64, value: f64) -> Sample {
    Sample { timestamp, value: SampleValue::Float(value) }
}

/// The samples of a block.
fn block_contents(fs: &Arc<dyn Fs>, path: &Path) -> Contents {
    let block = crate::block::BlockReader::open(&**fs, path).unwrap();
    let mut found = Contents::new();
    let mut scan = block.scan().unwrap();
    let mut cache = block.index().symbol_cache();
    while scan.next_series().unwrap().is_some() {
        let mut arena = crate::index::LabelArena::default();
        cache.resolve(&scan.series().labels, &mut arena).unwrap();
        let mut merged = samples::Merged::default();
        let mut at = 0;
        while let Some((_, chunk)) = scan.chunk_at(at).unwrap() {
            let encoding = crate::chunk::Encoding::from_u8(chunk.encoding).unwrap();
            let data = bytes::Bytes::copy_from_slice(chunk.data);
            merged.add((encoding, &data), i64::MIN, i64::MAX, &[]).unwrap();
            at += 1;
        }
        let samples = merged.into_sorted().into_iter().map(Sample::from).collect();
        found.insert(arena.to_labels().to_string(), samples);
    }
    found
}
