//! A store over the blocks of a bucket on disk, as slow and plain as can be.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use prom_model::Matcher;
use store::{About, Context, Frames, Store};
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use storeapi::{AggrChunk, Aggregate, Chunk, LabelBytes, Parts, Series, SeriesFrame};
use tonic::Status;
use tsdb::block::BlockReader;
use tsdb::chunk::{AggregateChunk, Encoding};
use tsdb::fs::RealFs;

type Labels = BTreeMap<String, String>;
type Found = BTreeMap<LabelBytes, Vec<AggrChunk>>;

#[derive(Debug)]
struct Block {
    reader: BlockReader,
    external: Labels,
    resolution: i64,
}

/// All blocks of a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Buckets(Arc<Vec<Block>>);

impl Buckets {
    pub(crate) fn open(folder: &Path) -> Self {
        let mut blocks = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(meta) = std::fs::read(path.join("meta.json")) else { continue };
            let meta: serde_json::Value = serde_json::from_slice(&meta).unwrap();
            let thanos = &meta["thanos"];
            let external = serde_json::from_value(thanos["labels"].clone()).unwrap();
            let resolution = thanos["downsample"]["resolution"].as_i64().unwrap();
            let reader = BlockReader::open(&RealFs, &path).unwrap();
            blocks.push(Block { reader, external, resolution });
        }
        blocks.sort_by_key(|block| block.reader.meta().min_time);
        Buckets(Arc::new(blocks))
    }

    fn find(&self, request: &SeriesRequest) -> Found {
        let matchers = storeapi::from_wire(&request.matchers).unwrap();
        let mut streams: Vec<&Labels> = self.0.iter().map(|block| &block.external).collect();
        streams.sort();
        streams.dedup();
        let mut found = Found::new();
        for external in streams {
            let of_stream: Vec<&Block> = self.0.iter().filter(|block| block.external == *external).collect();
            let (rest, fits) = without_external(&matchers, external);
            if !fits {
                continue;
            }
            let times = (request.min_time, request.max_time);
            for block in choose(&of_stream, times, request.max_resolution_window) {
                block.add(request, &rest, &mut found);
            }
        }
        for chunks in found.values_mut() {
            chunks.sort_by_key(|chunk| (chunk.min_time, chunk.max_time));
            chunks.dedup();
        }
        found
    }
}

fn without_external(matchers: &[Matcher], external: &Labels) -> (Vec<Matcher>, bool) {
    let (known, rest): (Vec<_>, Vec<_>) =
        matchers.iter().cloned().partition(|matcher| external.contains_key(matcher.name()));
    let fits = known.iter().all(|matcher| matcher.matches(&external[matcher.name()]));
    (rest, fits)
}

/// The coarsest blocks that are allowed; where they leave gaps, finer ones.
fn choose<'b>(blocks: &[&'b Block], (start, end): (i64, i64), allowed: i64) -> Vec<&'b Block> {
    if start > end {
        return Vec::new();
    }
    let mut found = Vec::new();
    let resolutions = [3_600_000, 300_000, 0];
    let Some(at) = resolutions.iter().position(|resolution| *resolution <= allowed) else { return found };
    let finer = |from, to| match resolutions.get(at + 1) {
        Some(finer) => choose(blocks, (from, to), *finer),
        None => Vec::new(),
    };
    let mut from = start;
    for block in blocks.iter().filter(|block| block.resolution == resolutions[at]) {
        let meta = block.reader.meta();
        if meta.max_time <= start || meta.min_time > end {
            continue;
        }
        found.extend(finer(from, meta.min_time - 1));
        found.push(*block);
        from = meta.max_time;
    }
    found.extend(finer(from, end));
    found
}

impl Block {
    fn add(&self, request: &SeriesRequest, matchers: &[Matcher], found: &mut Found) {
        let postings = self.reader.index().postings_for_matchers(matchers).unwrap();
        let mut scan = self.reader.select(postings);
        while scan.next_series().unwrap().is_some() {
            let mut labels: Labels = self
                .reader
                .index()
                .labels(scan.series())
                .unwrap()
                .iter()
                .map(|label| (label.name.to_string(), label.value.to_string()))
                .collect();
            labels.extend(self.external.clone());
            labels.retain(|name, _| !request.without_replica_labels.contains(name));
            let mut chunks = Vec::new();
            for at in 0..scan.series().chunks.len() {
                let (meta, stored) = scan.chunk_at(at).unwrap().unwrap();
                if meta.min_time > request.max_time || meta.max_time < request.min_time {
                    continue;
                }
                let parts = parts(request, stored.encoding, stored.data);
                chunks.push(AggrChunk { min_time: meta.min_time, max_time: meta.max_time, parts });
            }
            if chunks.is_empty() {
                continue;
            }
            if request.skip_chunks {
                chunks.clear();
            }
            let pairs = labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            found.entry(LabelBytes::from_pairs(pairs)).or_default().extend(chunks);
        }
    }
}

fn parts(request: &SeriesRequest, encoding: u8, data: &[u8]) -> Parts {
    let chunk = |encoding: Encoding, data: &[u8]| {
        Chunk::hashed(i32::from(encoding.as_u8()) - 1, Bytes::copy_from_slice(data))
    };
    let encoding = Encoding::from_u8(encoding).unwrap();
    if encoding != Encoding::Aggregate {
        return Parts::One(Aggregate::Raw, chunk(encoding, data));
    }
    let divided = AggregateChunk::new(data).unwrap();
    let mut parts = Parts::None;
    for number in &request.aggregates {
        let aggregate = Aggregate::from_request(*number).unwrap();
        let stored = tsdb::chunk::Aggregate::ALL[*number as usize - 1];
        let part = divided.get(stored).unwrap();
        parts.push(aggregate, chunk(part.encoding, part.data));
    }
    parts
}

#[async_trait]
impl Store for Buckets {
    async fn series(&self, request: SeriesRequest, _context: Context) -> Result<Frames, Status> {
        let store = self.clone();
        let found = tokio::task::spawn_blocking(move || store.find(&request)).await.unwrap();
        let mut series = found.into_iter().map(|(labels, chunks)| Series { labels, chunks });
        let frames = std::iter::from_fn(move || {
            let batch: Vec<Series> = series.by_ref().take(store::BATCH).collect();
            (!batch.is_empty()).then_some(Ok(SeriesFrame::Batch(batch)))
        });
        Ok(futures::stream::iter(frames).boxed())
    }

    async fn label_names(
        &self,
        _request: LabelNamesRequest,
        _context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        Err(Status::unimplemented("only series are told"))
    }

    async fn label_values(
        &self,
        _request: LabelValuesRequest,
        _context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        Err(Status::unimplemented("only series are told"))
    }

    fn about(&self) -> About {
        About {
            label_sets: Vec::new(),
            min_time: i64::MIN,
            max_time: i64::MAX,
            supports_sharding: false,
            supports_without_replica_labels: true,
            extents: Vec::new(),
        }
    }
}
