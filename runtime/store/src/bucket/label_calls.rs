//! `LabelNames` and `LabelValues`.
//!
//! Without matchers on series the index-header knows the answer. With them the series are read, as only those count that have
//! samples in the range of time.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::block::index_header::IndexHeader;
use prom_model::{MatchOp, Matcher};
use prost::Message;
use storeapi::hints;
use storeapi::thanos::{LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::BucketStore;
use super::block::Block;
use super::call::Call;
use super::error::ReadError;
use super::postings::{Selected, of_index, values_with};
use super::request;
use super::select::without_external;
use super::series_call::{Ask, choose, spawn_heads};
use crate::Context;

/// The label of the name of a metric.
const METRIC_NAME: &str = "__name__";

/// Reading a series takes about as long as reading so many bytes of lists of postings.
const LISTS_PER_SERIES: u64 = 64;

type Texts = BTreeSet<String>;

/// Which blocks are asked what.
struct Asked {
    blocks: Vec<Arc<Block>>,
    /// For each block the matchers for its series.
    matchers: Vec<Vec<Matcher>>,
}

impl BucketStore {
    pub(super) async fn find_label_names(
        &self,
        request: LabelNamesRequest,
        context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        let matchers = request::matchers(&request.matchers, "translate request labels matchers: ")?;
        let block_matchers = request::block_matchers(
            request.hints.as_ref(),
            "LabelNamesRequestHints",
            "label names",
            |hints: hints::LabelNamesRequestHints| hints.block_matchers,
        )?;
        let asked = self.asked(&matchers, &block_matchers, request.start, request.end);
        let removed = request::removed(request.without_replica_labels);
        let call = self.label_call(request.start, request.end, removed, &context, asked.blocks.len());
        let collect = |block, matchers: Vec<Matcher>| names_of(block, Arc::clone(&call), matchers);
        let names = gather(&asked, &context, collect).await?;
        let queried_blocks = request::queried(&asked.blocks);
        let answer = hints::LabelNamesResponseHints { queried_blocks };
        Ok(LabelNamesResponse {
            names: limited(names, request.limit),
            warnings: Vec::new(),
            hints: Some(request::answer_hints("LabelNamesResponseHints", answer.encode_to_vec())),
        })
    }

    pub(super) async fn find_label_values(
        &self,
        request: LabelValuesRequest,
        context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        let matchers = request::matchers(&request.matchers, "translate request labels matchers: ")?;
        if request.label.is_empty() {
            return Err(Status::invalid_argument("label name parameter cannot be empty"));
        }
        if request.without_replica_labels.contains(&request.label) {
            return Ok(LabelValuesResponse::default());
        }
        let block_matchers = request::block_matchers(
            request.hints.as_ref(),
            "LabelValuesRequestHints",
            "label values",
            |hints: hints::LabelValuesRequestHints| hints.block_matchers,
        )?;
        let mut asked = self.asked(&matchers, &block_matchers, request.start, request.end);
        let of_one_metric =
            matchers.iter().any(|matcher| matcher.name() == METRIC_NAME && matcher.op() == MatchOp::Equal);
        for (block, matchers) in asked.blocks.iter().zip(&mut asked.matchers) {
            let external = block.external.get(&request.label).is_some();
            if !of_one_metric && !matchers.is_empty() && !external {
                let present = Matcher::new(MatchOp::NotEqual, request.label.as_str(), "");
                matchers.push(present.map_err(|error| Status::invalid_argument(error.to_string()))?);
            }
        }
        let call = self.label_call(request.start, request.end, Vec::new(), &context, asked.blocks.len());
        let label: Arc<str> = request.label.into();
        let collect =
            |block, matchers: Vec<Matcher>| values_of(block, Arc::clone(&call), matchers, Arc::clone(&label));
        let values = gather(&asked, &context, collect).await?;
        let queried_blocks = request::queried(&asked.blocks);
        let answer = hints::LabelValuesResponseHints { queried_blocks };
        Ok(LabelValuesResponse {
            values: limited(values, request.limit),
            warnings: Vec::new(),
            hints: Some(request::answer_hints("LabelValuesResponseHints", answer.encode_to_vec())),
        })
    }

    fn asked(&self, matchers: &[Matcher], block_matchers: &[Matcher], start: i64, end: i64) -> Asked {
        let mut asked = Asked { blocks: Vec::new(), matchers: Vec::new() };
        for block in self.state().blocks.values() {
            if !block.overlaps(start, end) || !block.is_matched(block_matchers) {
                continue;
            }
            if let Some(matchers) = without_external(matchers, &block.external) {
                asked.blocks.push(Arc::clone(block));
                asked.matchers.push(matchers);
            }
        }
        asked
    }

    fn label_call(
        &self,
        start: i64,
        end: i64,
        removed: Vec<String>,
        context: &Context,
        blocks: usize,
    ) -> Arc<Call> {
        let ask = Ask {
            min_time: start,
            max_time: end,
            skip_chunks: true,
            aggregates: Vec::new(),
            limit: 0,
            removed,
            shard: None,
        };
        Arc::new(self.call(ask, context, blocks))
    }
}

/// What all blocks say, together; they are asked at the same time.
async fn gather<F>(
    asked: &Asked,
    context: &Context,
    collect: impl Fn(Arc<Block>, Vec<Matcher>) -> F,
) -> Result<Texts, Status>
where
    F: Future<Output = Result<Texts, ReadError>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (block, matchers) in asked.blocks.iter().zip(&asked.matchers) {
        let (block, id) = (Arc::clone(block), block.id);
        let work = collect(block, matchers.clone());
        tasks.spawn(async move { (id, work.await) });
    }
    let mut all = Texts::new();
    loop {
        let done = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(Status::cancelled("context canceled")),
            done = tasks.join_next() => done,
        };
        match done {
            None => return Ok(all),
            Some(Ok((_, Ok(texts)))) if all.is_empty() => all = texts,
            Some(Ok((_, Ok(texts)))) => all.extend(texts),
            Some(Ok((block, Err(error)))) => {
                return Err(error.status(&format!("block {block}"), Code::Internal));
            }
            Some(Err(_)) => return Err(ReadError::Stopped.status("", Code::Internal)),
        }
    }
}

async fn names_of(block: Arc<Block>, call: Arc<Call>, matchers: Vec<Matcher>) -> Result<Texts, ReadError> {
    if matchers.is_empty() {
        let header = block.header.get().await?;
        let mut names: Texts = header.index().label_names().map(|(name, _)| name.into_owned()).collect();
        let removed = |name: &String| call.removed.binary_search(name).is_ok();
        names.extend(block.external.iter().map(|label| label.name.to_string()));
        names.retain(|name| !removed(name));
        return Ok(names);
    }
    let (header, selected) = choose(&block, &call, &matchers).await?;
    let mut names: BTreeSet<Vec<u8>> = BTreeSet::new();
    each_series(block, call, header, selected, |labels| {
        for (name, _) in labels {
            if !names.contains(name) {
                names.insert(name.to_vec());
            }
        }
    })
    .await?;
    Ok(names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

async fn values_of(
    block: Arc<Block>,
    call: Arc<Call>,
    matchers: Vec<Matcher>,
    label: Arc<str>,
) -> Result<Texts, ReadError> {
    if matchers.is_empty() {
        // It wins over what series have of that name.
        if let Some(value) = block.external.get(&label).filter(|value| !value.is_empty()) {
            return Ok([value.to_owned()].into());
        }
        let header = block.header.get().await?;
        let listed = tokio::task::spawn_blocking(move || all_values(&header, &label));
        return listed.await.map_err(|_| ReadError::Stopped)?;
    }
    let (header, selected) = choose(&block, &call, &matchers).await?;
    // Its lists of postings say which values occur, if all series that are selected count: then no series has to be read.
    let covered = call.min_time <= block.min_time() && block.max_time() <= call.max_time;
    if covered && selected.lazy.is_empty() && block.external.get(&label).is_none() {
        let extent = header.index().label_extent(&label).map_err(of_index)?;
        let worth = (selected.postings.len() as u64).saturating_mul(LISTS_PER_SERIES);
        match extent {
            None => return Ok(Texts::new()),
            Some(extent) if extent.bytes <= worth => {
                return values_with(&block, &header, &call, &selected.postings, &label).await;
            }
            Some(_) => {}
        }
    }
    let mut values: BTreeSet<Vec<u8>> = BTreeSet::new();
    each_series(block, call, header, selected, |labels| {
        if let Some(value) = labels.get(label.as_bytes())
            && !value.is_empty()
            && !values.contains(value)
        {
            values.insert(value.to_vec());
        }
    })
    .await?;
    Ok(values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect())
}

fn all_values(header: &IndexHeader, label: &str) -> Result<Texts, ReadError> {
    let mut values = Texts::new();
    let Some(mut walk) = header.index().label_values(label) else { return Ok(values) };
    while let Some(entry) = walk.next_entry().map_err(of_index)? {
        values.insert(String::from_utf8_lossy(entry.value).into_owned());
    }
    Ok(values)
}

/// Shows the labels of each series that is selected.
async fn each_series(
    block: Arc<Block>,
    call: Arc<Call>,
    header: Arc<IndexHeader>,
    selected: Selected,
    mut see: impl FnMut(&storeapi::LabelBytes),
) -> Result<(), ReadError> {
    let mut tasks = JoinSet::new();
    let mut heads = spawn_heads(&mut tasks, block, header, call, selected);
    while let Some(batch) = heads.recv().await {
        batch?.list.iter().for_each(|head| see(&head.labels));
    }
    Ok(())
}

fn limited(texts: Texts, limit: i64) -> Vec<String> {
    let most = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    texts.into_iter().take(most).collect()
}
