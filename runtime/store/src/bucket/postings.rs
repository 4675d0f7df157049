//! Which series of a block satisfy the matchers: planned from the index-header, read in few requests, kept for next time.

mod codec;
mod plan;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use block::index_header::IndexHeader;
use bytes::Bytes;
use prom_model::{MatchOp, Matcher};
use tsdb::Corruption;
use tsdb::Fault;
use tsdb::block::INDEX_FILE;
use tsdb::index::{IndexReader, Postings, PostingsUnion};

use super::block::Block;
use super::cache::{CacheKey, What};
use super::call::Call;
use super::error::{During, ReadError};
use super::fetch::{Fetched, fetch, join, total};
use codec::{pack, unpack};
use plan::{Plan, Step, matchers_key, plan};

/// The series of a block that may be wanted.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) postings: Postings,
    /// Matchers that the series are still to be tested with.
    pub(super) lazy: Vec<Matcher>,
}

/// Finds the series of a block that satisfy all matchers; none where there are no matchers.
pub(super) async fn select(
    block: &Block,
    header: &Arc<IndexHeader>,
    call: &Call,
    matchers: &[Matcher],
) -> Result<Selected, ReadError> {
    if matchers.is_empty() {
        return Ok(Selected::default());
    }
    let mut matchers = matchers.to_vec();
    matchers
        .sort_by(|one, two| (one.name(), one.op(), one.value()).cmp(&(two.name(), two.op(), two.value())));
    matchers.dedup();
    let expanded = CacheKey { block: block.id, what: What::Expanded(matchers_key(&matchers).into()) };
    if let Some(postings) = cached(call, std::slice::from_ref(&expanded)).await?.into_iter().flatten().next()
    {
        return Ok(Selected { postings, lazy: Vec::new() });
    }
    let planned = {
        let (header, matchers) = (Arc::clone(header), matchers.clone());
        tokio::task::spawn_blocking(move || plan(header.index(), &matchers))
    };
    let plan = planned.await.map_err(|_| ReadError::Stopped)?.map_err(of_index)?;
    let Some(Plan { steps, lazy, lazy_bytes }) = plan else {
        call.cache.store(expanded, pack(&Postings::default()), &call.tenant);
        return Ok(Selected::default());
    };
    if !lazy.is_empty() {
        call.metrics.lazy_postings.inc();
        call.metrics.lazy_bytes.inc_by(lazy_bytes);
    }
    let lists = read_lists(block, header, call, &steps).await.during("get postings");
    let lists = lists.during("fetch and expand postings")?;
    let postings =
        tokio::task::spawn_blocking(move || combine(&steps, lists)).await.map_err(|_| ReadError::Stopped)?;
    if lazy.is_empty() {
        call.cache.store(expanded, pack(&postings), &call.tenant);
    }
    Ok(Selected { postings, lazy })
}

fn combine(steps: &[Step], lists: Vec<Postings>) -> Postings {
    let (mut selecting, mut subtracting) = (Vec::new(), Vec::new());
    for (step, list) in steps.iter().zip(lists) {
        if step.plan.subtracts { subtracting.push(list) } else { selecting.push(list) }
    }
    let all = Postings::intersect(selecting);
    subtracting.iter().fold(all, |left, list| left.without(list))
}

/// The entries of the cache that are there, as postings. One that cannot be read is not there.
async fn cached(call: &Call, keys: &[CacheKey]) -> Result<Vec<Option<Postings>>, ReadError> {
    let found = call.cache.fetch(keys, &call.tenant).await;
    let mut lists = Vec::with_capacity(found.len());
    for entry in found {
        let Some(entry) = entry else {
            lists.push(None);
            continue;
        };
        call.limits
            .bytes
            .reserve(entry.len() as u64, "exceeded bytes limit while loading postings from index cache")?;
        call.used.postings.touch(1, entry.len() as u64);
        lists.push(unpack(&entry));
    }
    Ok(lists)
}

/// The series that each step names, from the cache or from the bucket.
async fn read_lists(
    block: &Block,
    header: &Arc<IndexHeader>,
    call: &Call,
    steps: &[Step],
) -> Result<Vec<Postings>, ReadError> {
    let key = |step: &Step| CacheKey { block: block.id, what: What::Postings(Arc::clone(&step.key)) };
    let keys: Vec<CacheKey> = steps.iter().map(key).collect();
    let mut lists = cached(call, &keys).await?;
    let mut ranges: Vec<Range<u64>> = steps
        .iter()
        .zip(&lists)
        .filter(|(_, list)| list.is_none())
        .flat_map(|(step, _)| step.plan.lists.iter().cloned())
        .collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let count = ranges.len() as u64;
    let parts = join(ranges);
    let bytes = total(&parts);
    call.limits.bytes.reserve(bytes, "exceeded bytes limit while fetching postings")?;
    let mut held = call.budget.hold("postings");
    held.resize(usize::try_from(bytes).unwrap_or(usize::MAX))?;
    let start = call.now();
    let fetched = fetch(call.bucket.as_ref(), &block.index_object(), &parts).await?;
    call.metrics
        .postings_fetch
        .get_or_create(&super::metrics::of_tenant(&call.tenant))
        .observe(call.since(start));
    call.used.postings.touch(count, bytes);
    call.used.postings.fetch(count, bytes);
    let missing: Vec<(usize, Vec<Range<u64>>)> = steps
        .iter()
        .enumerate()
        .filter(|(at, _)| lists.get(*at).is_some_and(Option::is_none))
        .map(|(at, step)| (at, step.plan.lists.clone()))
        .collect();
    let decoded = {
        let header = Arc::clone(header);
        let decode = move || {
            let read = |(at, ranges): (usize, Vec<Range<u64>>)| {
                Ok((at, decode_lists(header.index(), &fetched, &ranges)?))
            };
            missing.into_iter().map(read).collect::<Result<Vec<_>, Corruption>>()
        };
        tokio::task::spawn_blocking(decode).await.map_err(|_| ReadError::Stopped)?.map_err(of_index)?
    };
    for (at, list) in decoded {
        if let (Some(key), Some(slot)) = (keys.get(at), lists.get_mut(at)) {
            call.cache.store(key.clone(), pack(&list), &call.tenant);
            *slot = Some(list);
        }
    }
    Ok(lists.into_iter().flatten().collect())
}

/// Bytes of lists that are looked at together.
const LISTS_BYTES: u64 = 8 << 20;

/// The values of a label that at least one of these series has, found in the lists of the values.
pub(super) async fn values_with(
    block: &Block,
    header: &Arc<IndexHeader>,
    call: &Call,
    series: &Postings,
    label: &str,
) -> Result<BTreeSet<String>, ReadError> {
    let mut lists = {
        let (header, label) = (Arc::clone(header), label.to_owned());
        let listed = tokio::task::spawn_blocking(move || value_lists(header.index(), &label));
        listed.await.map_err(|_| ReadError::Stopped)?.map_err(of_index)?.into_iter().peekable()
    };
    let mut held = call.budget.hold("postings");
    let mut values = BTreeSet::new();
    while lists.peek().is_some() {
        let (mut some, mut bytes) = (Vec::new(), 0);
        while let Some((value, range)) = lists.next_if(|_| bytes < LISTS_BYTES) {
            bytes += range.end.saturating_sub(range.start);
            some.push((value, range));
        }
        let mut ranges: Vec<Range<u64>> = some.iter().map(|(_, range)| range.clone()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let parts = join(ranges);
        let bytes = total(&parts);
        call.limits.bytes.reserve(bytes, "exceeded bytes limit while fetching postings")?;
        held.resize(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let fetched = fetch(call.bucket.as_ref(), &block.index_object(), &parts).await?;
        call.used.postings.touch(some.len() as u64, bytes);
        call.used.postings.fetch(some.len() as u64, bytes);
        let index = header.index();
        for (value, range) in some {
            let list =
                index.decode_postings(&bytes_of(index, &fetched, &range).map_err(of_index)?, range.start);
            if list.map_err(of_index)?.intersects(series) {
                values.insert(value);
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(values)
}

/// The values of a label, each with its list.
fn value_lists(index: &IndexReader, label: &str) -> Result<Vec<(String, Range<u64>)>, Corruption> {
    let Ok(present) = Matcher::new(MatchOp::NotEqual, label, "") else { return Ok(Vec::new()) };
    let lists = index.plan(&present)?.lists;
    let mut values = Vec::with_capacity(lists.len());
    if let Some(mut walk) = index.label_values(label) {
        while let Some(entry) = walk.next_entry()? {
            if !entry.value.is_empty() {
                values.push(String::from_utf8_lossy(entry.value).into_owned());
            }
        }
    }
    Ok(values.into_iter().zip(lists).collect())
}

fn decode_lists(
    index: &IndexReader,
    fetched: &Fetched,
    ranges: &[Range<u64>],
) -> Result<Postings, Corruption> {
    if let [range] = ranges {
        let bytes = bytes_of(index, fetched, range)?;
        return index.decode_postings(&bytes, range.start);
    }
    let mut union = PostingsUnion::new(index);
    for range in ranges {
        union.add(&bytes_of(index, fetched, range)?, range.start)?;
    }
    Ok(union.finish())
}

/// The bytes of a list; what lies behind it may follow.
fn bytes_of(index: &IndexReader, fetched: &Fetched, range: &Range<u64>) -> Result<Bytes, Corruption> {
    let length = range.end.saturating_sub(range.start);
    if let Some((piece, skip)) = fetched.piece(range.start)
        && (piece.len() - skip) as u64 >= length
    {
        return Ok(piece.slice(skip..));
    }
    fetched.range(range.clone()).ok_or_else(|| {
        let fault = Fault::Short { missing: length };
        index.file().corruption(tsdb::Section::Postings, range.start, fault)
    })
}

/// Readers name the file they were opened with, the index-header; what came from the bucket is of the index.
pub(super) fn of_index(corruption: Corruption) -> Corruption {
    Corruption { file: INDEX_FILE.into(), ..corruption }
}
