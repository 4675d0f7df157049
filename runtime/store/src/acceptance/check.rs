//! Asks a store and compares its answer with that of the reference.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use storeapi::thanos::{LabelNamesRequest, LabelValuesRequest, SeriesRequest, ShardInfo};
use storeapi::{AggrChunk, Aggregate, Chunk, LabelBytes, SeriesFrame, Shard};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tsdb::chunk::{Columns, Encoding, Order, decode_floats};
use xxhash_rust::xxh64::xxh64;

use super::MemoryStore;
use super::cases::{Asked, Case};
use super::memory::Found;
use crate::{Context, Store};

type Verdict = Result<(), String>;

/// An answer to `Series`: the series by their labels, and warnings.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    series: Vec<(LabelBytes, Vec<AggrChunk>)>,
    warnings: Vec<String>,
    /// Whether a series came with chunks that are not in the order of their times.
    disordered: bool,
}

/// What a case may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks as the case says; an error says how the answer is wrong.
pub(super) async fn check(store: &dyn Store, reference: &MemoryStore, case: &Case) -> Verdict {
    let judged = judge(store, reference, &case.asked);
    tokio::time::timeout(PATIENCE, judged).await.map_err(|_| "no answer".to_owned())?
}

async fn judge(store: &dyn Store, reference: &MemoryStore, asked: &Asked) -> Verdict {
    match asked {
        Asked::Series(request) => {
            let answer = ask(store, request.clone()).await.map_err(|status| format!("{status:?}"))?;
            compare(reference, request, answer)
        }
        Asked::Names(request) => names(store, reference, request).await,
        Asked::Values(request) => values(store, reference, request).await,
        Asked::Refused(request, code) => refused(ask(store, request.clone()).await.err(), *code),
        Asked::NamesRefused(request, code) => {
            refused(store.label_names(request.clone(), Context::unlimited()).await.err(), *code)
        }
        Asked::ValuesRefused(request, code) => {
            refused(store.label_values(request.clone(), Context::unlimited()).await.err(), *code)
        }
        Asked::Shards(request, total) => shards(store, reference, request, *total).await,
        Asked::Cancelled(request) => cancelled(store, request).await,
        Asked::Dropped(request) => {
            let frames = store.series(request.clone(), Context::unlimited()).await;
            drop(frames.map_err(|status| format!("{status:?}"))?.next().await);
            let answer = ask(store, request.clone()).await.map_err(|status| format!("{status:?}"))?;
            compare(reference, request, answer)
        }
        Asked::Repeated(request) => {
            let first = ask(store, request.clone()).await.map_err(|status| format!("{status:?}"))?;
            for _ in 0..3 {
                let next = ask(store, request.clone()).await.map_err(|status| format!("{status:?}"))?;
                same(&next, &first, "another answer than before")?;
            }
            Ok(())
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(got: &T, wanted: &T, what: &str) -> Verdict {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got:?} instead of {wanted:?}")) }
}

fn refused(status: Option<Status>, code: Code) -> Verdict {
    match status {
        Some(status) => same(&status.code(), &code, "code"),
        None => Err("it was answered".to_owned()),
    }
}

async fn ask(store: &dyn Store, request: SeriesRequest) -> Result<Answer, Status> {
    let mut frames = store.series(request, Context::unlimited()).await?;
    let mut answer = Answer::default();
    let mut add = |series: storeapi::Series| {
        answer.disordered |= !series.chunks.is_sorted_by_key(|chunk| chunk.min_time);
        match answer.series.last_mut() {
            // Parts of several series may have become one label set; who receives them puts their chunks in order.
            Some((labels, chunks)) if *labels == series.labels => chunks.extend(series.chunks),
            _ => answer.series.push((series.labels, series.chunks)),
        }
    };
    while let Some(frame) = frames.next().await {
        match frame? {
            SeriesFrame::Series(series) => add(series),
            SeriesFrame::Batch(batch) => batch.into_iter().for_each(&mut add),
            SeriesFrame::Warning(text) => answer.warnings.push(text),
            SeriesFrame::Hints(_) => {}
        }
    }
    Ok(answer)
}

fn compare(reference: &MemoryStore, request: &SeriesRequest, answer: Answer) -> Verdict {
    if !answer.warnings.is_empty() {
        return Err(format!("warnings: {:?}", answer.warnings));
    }
    if answer.disordered {
        return Err("chunks are not in the order of their times".to_owned());
    }
    if let Some(pair) = answer.series.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        return Err(format!("{:?} comes before {:?}", pair[0].0, pair[1].0));
    }
    let shard = Shard::new(request.shard_info.as_ref());
    let range = (request.min_time, request.max_time);
    let wanted = reference
        .select(&request.matchers, range, &request.without_replica_labels, shard.as_ref())
        .map_err(|status| format!("{status:?}"))?;
    let present = wanted.iter().filter(|(_, found)| found.in_range).count();
    for (labels, chunks) in &answer.series {
        let found = wanted.get(labels).ok_or_else(|| format!("{labels:?} does not belong there"))?;
        series(request, found, chunks).map_err(|why| format!("{labels:?}: {why}"))?;
    }
    if let Some(limit) = usize::try_from(request.limit).ok().filter(|limit| *limit > 0) {
        let count = answer.series.len();
        return if count <= limit && count >= limit.min(present) {
            Ok(())
        } else {
            Err(format!("{count} series, of {present} the first {limit} were wanted"))
        };
    }
    let got: BTreeSet<&LabelBytes> = answer.series.iter().map(|(labels, _)| labels).collect();
    match wanted.iter().find(|(labels, found)| found.in_range && !got.contains(labels)) {
        Some((labels, _)) => Err(format!("{labels:?} is missing")),
        None => Ok(()),
    }
}

fn series(request: &SeriesRequest, found: &Found, chunks: &[AggrChunk]) -> Verdict {
    if request.skip_chunks {
        return same(&chunks.len(), &0, "chunks");
    }
    let in_range = |samples: BTreeMap<(i64, u64), ()>| {
        let range = request.min_time..=request.max_time;
        samples.into_keys().filter(|(time, _)| range.contains(time)).collect::<Vec<_>>()
    };
    same(&in_range(samples(chunks)?), &in_range(samples(&found.chunks)?), "samples")
}

/// All samples, each once.
fn samples(chunks: &[AggrChunk]) -> Result<BTreeMap<(i64, u64), ()>, String> {
    let mut all = BTreeMap::new();
    for chunk in chunks {
        let raw = chunk.parts.get(Aggregate::Raw).ok_or("a chunk without raw samples")?;
        same(&raw.encoding, &Chunk::XOR, "encoding")?;
        if raw.hash != 0 {
            same(&raw.hash, &xxh64(&raw.data, 0), "hash")?;
        }
        let mut columns = Columns::default();
        decode_floats(Encoding::Xor, &raw.data, Order::Rising, &mut columns)
            .map_err(|error| error.to_string())?;
        let times = &columns.timestamps;
        let first = times.first().copied().ok_or("a chunk without samples")?;
        if chunk.min_time > first || times.last().is_some_and(|last| chunk.max_time < *last) {
            return Err(format!("a chunk is told to lie in {}..{}", chunk.min_time, chunk.max_time));
        }
        all.extend(times.iter().zip(&columns.values).map(|(time, value)| ((*time, value.to_bits()), ())));
    }
    Ok(all)
}

async fn shards(store: &dyn Store, reference: &MemoryStore, request: &SeriesRequest, total: i64) -> Verdict {
    let mut seen = BTreeSet::new();
    for shard_index in 0..total {
        let info = ShardInfo { shard_index, ..request.shard_info.clone().unwrap_or_default() };
        let request = SeriesRequest { shard_info: Some(info), ..request.clone() };
        let answer = ask(store, request.clone()).await.map_err(|status| format!("{status:?}"))?;
        for (labels, _) in &answer.series {
            if !seen.insert(labels.clone()) {
                return Err(format!("{labels:?} is in two shards"));
            }
        }
        compare(reference, &request, answer).map_err(|why| format!("shard {shard_index}: {why}"))?;
    }
    Ok(())
}

async fn cancelled(store: &dyn Store, request: &SeriesRequest) -> Verdict {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let context = Context { cancel, ..Context::unlimited() };
    let Ok(mut frames) = store.series(request.clone(), context).await else { return Ok(()) };
    while let Some(frame) = frames.next().await {
        if frame.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// What has samples in the range must be there; what has none may.
fn between(got: &[String], at_least: &[String], at_most: &[String], limit: i64) -> Verdict {
    if !got.is_sorted_by(|one, two| one < two) {
        return Err(format!("not sorted, or something twice: {got:?}"));
    }
    if let Some(extra) = got.iter().find(|text| !at_most.contains(text)) {
        return Err(format!("{extra:?} does not belong there"));
    }
    if let Some(limit) = usize::try_from(limit).ok().filter(|limit| *limit > 0) {
        let enough = got.len() >= limit.min(at_least.len()) && got.len() <= limit;
        return if enough { Ok(()) } else { Err(format!("{} of the first {limit}", got.len())) };
    }
    match at_least.iter().find(|text| !got.contains(text)) {
        Some(missing) => Err(format!("{missing:?} is missing")),
        None => Ok(()),
    }
}

/// All of time.
const EVER: (i64, i64) = (i64::MIN, i64::MAX);

async fn names(store: &dyn Store, reference: &MemoryStore, request: &LabelNamesRequest) -> Verdict {
    let words = |status: Status| format!("{status:?}");
    let got = store.label_names(request.clone(), Context::unlimited()).await.map_err(words)?;
    if !got.warnings.is_empty() {
        return Err(format!("warnings: {:?}", got.warnings));
    }
    let all = LabelNamesRequest { limit: 0, ..request.clone() };
    let least = reference.label_names(all.clone(), Context::unlimited()).await.map_err(words)?.names;
    let ever = LabelNamesRequest { start: EVER.0, end: EVER.1, ..all };
    let most = reference.label_names(ever, Context::unlimited()).await.map_err(words)?.names;
    between(&got.names, &least, &most, request.limit)
}

async fn values(store: &dyn Store, reference: &MemoryStore, request: &LabelValuesRequest) -> Verdict {
    let words = |status: Status| format!("{status:?}");
    let got = store.label_values(request.clone(), Context::unlimited()).await.map_err(words)?;
    if !got.warnings.is_empty() {
        return Err(format!("warnings: {:?}", got.warnings));
    }
    let all = LabelValuesRequest { limit: 0, ..request.clone() };
    let least = reference.label_values(all.clone(), Context::unlimited()).await.map_err(words)?.values;
    let ever = LabelValuesRequest { start: EVER.0, end: EVER.1, ..all };
    let most = reference.label_values(ever, Context::unlimited()).await.map_err(words)?.values;
    between(&got.values, &least, &most, request.limit)
}
