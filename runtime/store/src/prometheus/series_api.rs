//! Label sets without samples, from `/api/v1/series`.

use std::collections::BTreeMap;

use prom_model::Matcher;
use storeapi::{LabelBytes, Series, SeriesFrame};
use tonic::Status;

use super::client::{Failure, PrometheusClient, seconds};
use super::matchers::selector;
use super::relabel::Relabel;
use crate::{BATCH, Context, Frames};

/// Label sets as the API gives them.
pub(super) type LabelSets = Vec<BTreeMap<String, String>>;

/// The series that match, in no order, with the labels that they have in Prometheus.
pub(super) async fn series(
    client: &PrometheusClient,
    matchers: &[Matcher],
    (start, end): (i64, i64),
    limit: i64,
) -> Result<LabelSets, Failure> {
    let mut query = vec![("match[]", selector(matchers)), ("start", seconds(start)), ("end", seconds(end))];
    if limit > 0 {
        query.push(("limit", limit.to_string()));
    }
    client.data(&["api", "v1", "series"], &query).await
}

/// The same as frames of the StoreAPI, sorted, each label set once.
pub(super) fn frames(
    sets: LabelSets,
    relabel: &Relabel,
    limit: i64,
    context: &Context,
) -> Result<Frames, Status> {
    let mut held = context.budget.hold("label sets");
    let mut list: Vec<LabelBytes> = Vec::with_capacity(sets.len());
    let mut bytes = 0;
    for set in sets {
        let pairs = set.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let labels = relabel.apply(LabelBytes::from_pairs(pairs.filter(|(_, value)| !value.is_empty())));
        bytes += labels.as_wire().len() + size_of::<LabelBytes>();
        list.push(labels);
    }
    held.resize(bytes).map_err(|error| Status::resource_exhausted(error.to_string()))?;
    list.sort_unstable();
    list.dedup();
    if let Ok(limit @ 1..) = usize::try_from(limit) {
        list.truncate(limit);
    }
    let mut left = list.into_iter();
    let batches = std::iter::from_fn(move || {
        let _held = &held;
        let batch: Vec<Series> =
            left.by_ref().take(BATCH).map(|labels| Series { labels, chunks: Vec::new() }).collect();
        (!batch.is_empty()).then(|| Ok(SeriesFrame::Batch(batch)))
    });
    Ok(Box::pin(futures::stream::iter(batches)))
}
