//! The merge of a proxy against the plainest one: everything in a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use proptest::prelude::*;
use store::{About, Context, Frames, Member, ProxySettings, ProxyStore, Store};
use storeapi::thanos::{
    LabelMatcher, LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse,
    SeriesRequest,
};
use storeapi::{AggrChunk, Chunk, LabelBytes, Series, SeriesFrame};
use tonic::Status;

/// Sends these frames, whatever is asked.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) frames: Vec<SeriesFrame>,
    pub(crate) about: About,
}

#[async_trait]
impl Store for Script {
    async fn series(&self, _: SeriesRequest, _: Context) -> Result<Frames, Status> {
        Ok(stream::iter(self.frames.clone().into_iter().map(Ok)).boxed())
    }

    async fn label_names(&self, _: LabelNamesRequest, _: Context) -> Result<LabelNamesResponse, Status> {
        Ok(LabelNamesResponse::default())
    }

    async fn label_values(&self, _: LabelValuesRequest, _: Context) -> Result<LabelValuesResponse, Status> {
        Ok(LabelValuesResponse::default())
    }

    fn about(&self) -> About {
        self.about.clone()
    }
}

/// A request that no script looks at.
pub(crate) fn anything() -> SeriesRequest {
    let matcher =
        LabelMatcher { name: "__name__".to_owned(), value: "x".to_owned(), ..LabelMatcher::default() };
    SeriesRequest { matchers: vec![matcher], min_time: 0, max_time: i64::MAX, ..SeriesRequest::default() }
}

/// Everything that a store sends.
pub(crate) async fn collect(
    store: &dyn Store,
    request: SeriesRequest,
) -> Result<(Vec<Series>, Vec<String>), Status> {
    let mut frames = store.series(request, Context::unlimited()).await?;
    let (mut all, mut warnings) = (Vec::new(), Vec::new());
    while let Some(frame) = frames.next().await {
        match frame? {
            SeriesFrame::Series(series) => all.push(series),
            SeriesFrame::Batch(batch) => all.extend(batch),
            SeriesFrame::Warning(text) => warnings.push(text),
            SeriesFrame::Hints(_) => {}
        }
    }
    Ok((all, warnings))
}

type Labels = BTreeMap<String, String>;
/// The same in the order of label sets.
type Pairs = Vec<(String, String)>;

/// Label sets that begin alike, contain each other, and have names and values that begin alike.
fn labels() -> impl Strategy<Value = Labels> {
    let name = prop::sample::select(vec!["a", "ab", "b", "ba", "replica", "z"]).prop_map(str::to_owned);
    let value = prop_oneof![
        prop::sample::select(vec!["", "a", "aa", "aaa", "ab", "b", "ü", "z"]).prop_map(str::to_owned),
        "[ab]{120,140}",
    ];
    prop::collection::btree_map(name, value, 0..4)
}

/// A series of a store: labels, and chunks as (time, content).
type Generated = (Labels, Vec<(i64, u8)>);

fn stores() -> impl Strategy<Value = Vec<(Vec<Generated>, usize, usize, bool)>> {
    let chunks = prop::collection::vec((0i64..6, 0u8..3), 0..12);
    let series = prop::collection::vec((labels(), chunks), 0..12);
    prop::collection::vec((series, 1usize..5, 1usize..4, any::<bool>()), 1..6)
}

fn label_bytes(labels: &Labels) -> LabelBytes {
    LabelBytes::from_pairs(labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

fn chunk(time: i64, content: u8, hashed: bool) -> AggrChunk {
    let data = Bytes::from(vec![time as u8, content]);
    let chunk = if hashed { Chunk::hashed(Chunk::XOR, data) } else { Chunk { data, ..Chunk::default() } };
    AggrChunk::raw(time * 10, time * 10 + 9, chunk)
}

/// Frames of one store: series sorted, each split into pieces of so many chunks, so many of them in a batch.
fn frames(series: &[Generated], batch: usize, split: usize, hashed: bool) -> Vec<SeriesFrame> {
    // A store joins what has the same labels.
    let mut sorted: BTreeMap<LabelBytes, Vec<(i64, u8)>> = BTreeMap::new();
    for (labels, chunks) in series {
        sorted.entry(label_bytes(labels)).or_default().extend(chunks);
    }
    let mut pieces = Vec::new();
    for (labels, mut chunks) in sorted {
        chunks.sort_unstable();
        if chunks.is_empty() {
            pieces.push(Series { labels: labels.clone(), chunks: Vec::new() });
        }
        for some in chunks.chunks(split) {
            let chunks = some.iter().map(|(time, content)| chunk(*time, *content, hashed)).collect();
            pieces.push(Series { labels: labels.clone(), chunks });
        }
    }
    let frame = |some: &[Series]| match some {
        [one] => SeriesFrame::Series(one.clone()),
        some => SeriesFrame::Batch(some.to_vec()),
    };
    pieces.chunks(batch).map(frame).collect()
}

/// What has to come out: by labels, chunks by time and content.
fn expected(all: &[(Vec<Generated>, usize, usize, bool)]) -> Vec<(Labels, Vec<(i64, u8)>)> {
    let mut merged: BTreeMap<Pairs, Vec<(i64, u8)>> = BTreeMap::new();
    for (labels, chunks) in all.iter().flat_map(|(series, ..)| series) {
        let labels = labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        merged.entry(labels).or_default().extend(chunks);
    }
    merged
        .into_iter()
        .map(|(labels, mut chunks)| {
            chunks.sort_unstable();
            chunks.dedup();
            (labels.into_iter().collect(), chunks)
        })
        .collect()
}

fn found(all: Vec<Series>) -> Vec<(Labels, Vec<(i64, u8)>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let one = |series: Series| {
        let labels = series.labels.iter().map(|(name, value)| (text(name), text(value))).collect();
        let chunk = |chunk: &AggrChunk| {
            let (_, raw) = chunk.parts.iter().next().expect("a part");
            (chunk.min_time / 10, raw.data[1])
        };
        (labels, series.chunks.iter().map(chunk).collect())
    };
    all.into_iter().map(one).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

proptest! {
    #[test]
    fn every_series_comes_once_in_order_with_each_chunk_once(stores in stores(), limit in 0i64..8) {
        let about = About { supports_sharding: true, supports_without_replica_labels: true, ..About::whole() };
        let member = |(series, batch, split, hashed): &(Vec<Generated>, usize, usize, bool)| {
            let frames = frames(series, *batch, *split, *hashed);
            Member::local(Arc::new(Script { frames, about: about.clone() }))
        };
        let members: Vec<Member> = stores.iter().map(member).collect();
        let proxy = ProxyStore::new(Arc::new(members), ProxySettings::default());
        let request = SeriesRequest { limit, ..anything() };
        let (all, warnings) = runtime().block_on(collect(&proxy, request)).expect("nothing fails");
        prop_assert!(warnings.is_empty());
        let mut wanted = expected(&stores);
        if limit > 0 {
            wanted.truncate(limit as usize);
        }
        prop_assert_eq!(found(all), wanted);
    }

    #[test]
    fn replica_labels_are_removed_here_where_stores_do_not_do_it(stores in stores()) {
        let member = |(series, batch, split, hashed): &(Vec<Generated>, usize, usize, bool)| {
            let frames = frames(series, *batch, *split, *hashed);
            Member::local(Arc::new(Script { frames, about: About::whole() }))
        };
        let members: Vec<Member> = stores.iter().map(member).collect();
        let proxy = ProxyStore::new(Arc::new(members), ProxySettings::default());
        let removed = vec!["replica".to_owned(), "ab".to_owned()];
        let request = SeriesRequest { without_replica_labels: removed, ..anything() };
        let (all, warnings) = runtime().block_on(collect(&proxy, request)).expect("nothing fails");
        prop_assert!(warnings.is_empty());
        let mut stripped = stores.clone();
        for (labels, _) in stripped.iter_mut().flat_map(|(series, ..)| series) {
            labels.remove("replica");
            labels.remove("ab");
        }
        prop_assert_eq!(found(all), expected(&stripped));
    }
}
