//! Metadata of metrics of several Prometheus servers as one map.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use store::Context;
use storeapi::thanos::metadata_client::MetadataClient;
use storeapi::thanos::metric_metadata_response::Result as Answer;
use storeapi::thanos::{MetricMetadata, MetricMetadataRequest, MetricMetadataResponse};

use super::gather::{Call, Told};
use crate::{FanOut, Gathered, Offer};

impl FanOut {
    /// All maps as they came.
    pub(super) async fn all_metadata(
        &self,
        request: MetricMetadataRequest,
        context: Context,
    ) -> Gathered<Vec<MetricMetadata>> {
        let call = Call {
            what: "metric metadata",
            service: "metadata",
            strategy: request.partial_response_strategy,
            timeout: self.settings.response_timeout,
            context: &context,
        };
        let ask = |_: &_, channel| {
            let request = call.request(request.clone());
            async move {
                let client = MetadataClient::new(channel).max_decoding_message_size(storeapi::MESSAGE_MAX);
                { client }.metric_metadata(request).await
            }
        };
        let read = |message: MetricMetadataResponse| match message.result {
            Some(Answer::Metadata(metadata)) => Told::Data(metadata),
            Some(Answer::Warning(text)) => Told::Warning(text),
            None => Told::Nothing,
        };
        call.make(self.companions.offering(Offer::Metadata), ask, read).await
    }
}

/// One map with so many metrics (below 0: all), each variant of their metadata once.
pub(super) fn merge(all: Vec<MetricMetadata>, limit: i32) -> MetricMetadata {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut merged = BTreeMap::new();
    for map in all {
        for (metric, entry) in map.metadata {
            let full = merged.len() >= limit;
            match merged.entry(metric) {
                Entry::Vacant(place) if !full => {
                    place.insert(entry);
                }
                Entry::Vacant(_) => {}
                Entry::Occupied(mut known) => {
                    for meta in entry.metas {
                        if !known.get().metas.contains(&meta) {
                            known.get_mut().metas.push(meta);
                        }
                    }
                }
            }
        }
    }
    MetricMetadata { metadata: merged }
}
