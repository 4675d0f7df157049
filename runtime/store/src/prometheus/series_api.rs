//! Label sets without samples, from `/api/v1/series`.

use std::fmt;

use prom_model::Matcher;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use storeapi::{LabelBytes, Series, SeriesFrame};
use tonic::Status;

use super::client::{Failure, PrometheusClient, seconds};
use super::matchers::selector;
use super::relabel::Relabel;
use crate::{BATCH, Context, Frames};

/// A label set of the API, packed as soon as it is read: there may be very many.
pub(super) struct Packed(pub(super) LabelBytes);

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PackedVisitor)
    }
}

struct PackedVisitor;

impl<'de> Visitor<'de> for PackedVisitor {
    type Value = Packed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of label names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Packed, A::Error> {
        let mut pairs: Vec<(String, String)> = Vec::with_capacity(16);
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            // A label without a value is absent.
            if !value.is_empty() {
                pairs.push((name, value));
            }
        }
        pairs.sort_unstable();
        let bytes = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        Ok(Packed(LabelBytes::from_pairs(bytes)))
    }
}

/// The series that match, in no order, with the labels that they have in Prometheus.
pub(super) async fn series(
    client: &PrometheusClient,
    matchers: &[Matcher],
    (start, end): (i64, i64),
    limit: i64,
) -> Result<Vec<Packed>, Failure> {
    let mut query = vec![("match[]", selector(matchers)), ("start", seconds(start)), ("end", seconds(end))];
    if limit > 0 {
        query.push(("limit", limit.to_string()));
    }
    client.data(&["api", "v1", "series"], &query).await
}

/// The same as frames of the StoreAPI, sorted, each label set once.
pub(super) fn frames(
    sets: Vec<Packed>,
    relabel: &Relabel,
    limit: i64,
    context: &Context,
) -> Result<Frames, Status> {
    let mut held = context.budget.hold("label sets");
    let mut list: Vec<LabelBytes> = Vec::with_capacity(sets.len());
    let mut bytes = 0;
    for set in sets {
        let labels = relabel.apply(set.0);
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
