//! The reference: a store that looks at every series for every request.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use prom_model::Matcher;
use storeapi::thanos::{
    LabelMatcher, LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse,
    SeriesRequest,
};
use storeapi::{AggrChunk, LabelBytes, Series, SeriesFrame, Shard};
use tonic::Status;

use super::{Dataset, Part, TestSeries};
use crate::{About, BATCH, Context, Extent, Frames, Store};

/// Data in memory as a store.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    data: Dataset,
}

/// A series as it is answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) chunks: Vec<AggrChunk>,
    /// Whether a sample lies in the range.
    pub(super) in_range: bool,
}

impl MemoryStore {
    /// A store over this data.
    pub fn new(data: Dataset) -> Self {
        MemoryStore { data }
    }

    /// All series that satisfy the matchers, whatever the range, by their labels.
    pub(super) fn select(
        &self,
        matchers: &[LabelMatcher],
        (from, to): (i64, i64),
        removed: &[String],
        shard: Option<&Shard>,
    ) -> Result<BTreeMap<LabelBytes, Found>, Status> {
        let matchers =
            storeapi::from_wire(matchers).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut found: BTreeMap<LabelBytes, Found> = BTreeMap::new();
        for (part, series) in self.all() {
            let labels = part.labels_of(series);
            if !matchers.iter().all(|matcher| satisfies(&labels, matcher)) {
                continue;
            }
            let labels = labels.without(|name| removed.iter().any(|gone| gone.as_bytes() == name));
            if shard.is_some_and(|shard| !shard.has(&labels)) {
                continue;
            }
            let known = found.entry(labels).or_default();
            known.chunks.extend(series.chunks());
            known.in_range |= series.samples.iter().any(|(time, _)| (from..=to).contains(time));
        }
        Ok(found)
    }

    fn all(&self) -> impl Iterator<Item = (&Part, &TestSeries)> {
        self.data.parts.iter().flat_map(|part| part.series.iter().map(move |series| (part, series)))
    }
}

fn satisfies(labels: &LabelBytes, matcher: &Matcher) -> bool {
    let value = labels.get(matcher.name().as_bytes()).unwrap_or_default();
    matcher.matches(std::str::from_utf8(value).unwrap())
}

/// The first so many; 0: all.
fn limited(limit: i64) -> usize {
    usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX)
}

#[async_trait]
impl Store for MemoryStore {
    async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status> {
        let range = (request.min_time, request.max_time);
        let shard = Shard::new(request.shard_info.as_ref());
        let found = self.select(&request.matchers, range, &request.without_replica_labels, shard.as_ref())?;
        let series: Vec<Series> = found
            .into_iter()
            .filter(|(_, found)| found.in_range)
            .map(|(labels, mut found)| {
                found.chunks.retain(|chunk| chunk.min_time <= range.1 && chunk.max_time >= range.0);
                found.chunks.sort_by_key(|chunk| (chunk.min_time, chunk.max_time));
                found.chunks.dedup();
                Series { labels, chunks: if request.skip_chunks { Vec::new() } else { found.chunks } }
            })
            .take(limited(request.limit))
            .collect();
        let batches: Vec<_> = series.chunks(BATCH).map(|batch| SeriesFrame::Batch(batch.to_vec())).collect();
        let cancel = context.cancel;
        let frames = batches.into_iter().map(move |batch| {
            if cancel.is_cancelled() { Err(Status::cancelled("context canceled")) } else { Ok(batch) }
        });
        Ok(stream::iter(frames.collect::<Vec<_>>()).boxed())
    }

    async fn label_names(
        &self,
        request: LabelNamesRequest,
        _: Context,
    ) -> Result<LabelNamesResponse, Status> {
        let range = (request.start, request.end);
        let found = self.select(&request.matchers, range, &request.without_replica_labels, None)?;
        let names: BTreeSet<String> = found
            .iter()
            .filter(|(_, found)| found.in_range)
            .flat_map(|(labels, _)| labels.to_messages().into_iter().map(|label| label.name))
            .collect();
        let names = names.into_iter().take(limited(request.limit)).collect();
        Ok(LabelNamesResponse { names, ..LabelNamesResponse::default() })
    }

    async fn label_values(
        &self,
        request: LabelValuesRequest,
        _: Context,
    ) -> Result<LabelValuesResponse, Status> {
        if request.label.is_empty() {
            return Err(Status::invalid_argument("label name parameter cannot be empty"));
        }
        let range = (request.start, request.end);
        let found = self.select(&request.matchers, range, &request.without_replica_labels, None)?;
        let values: BTreeSet<String> = found
            .iter()
            .filter(|(_, found)| found.in_range)
            .filter_map(|(labels, _)| labels.get(request.label.as_bytes()))
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect();
        let values = values.into_iter().take(limited(request.limit)).collect();
        Ok(LabelValuesResponse { values, ..LabelValuesResponse::default() })
    }

    fn about(&self) -> About {
        let set = |part: &Part| {
            LabelBytes::from_pairs(
                part.external.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
            )
        };
        let times = || self.all().flat_map(|(_, series)| series.samples.iter().map(|(time, _)| *time));
        let (min_time, max_time) = (times().min().unwrap_or(i64::MIN), times().max().unwrap_or(i64::MAX));
        About {
            label_sets: self.data.parts.iter().map(set).collect(),
            min_time,
            max_time,
            supports_sharding: true,
            supports_without_replica_labels: true,
            extents: self
                .data
                .parts
                .iter()
                .map(|part| Extent { labels: set(part), min_time, max_time })
                .collect(),
        }
    }
}
