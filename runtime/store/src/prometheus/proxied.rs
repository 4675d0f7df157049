//! The services beside the StoreAPI: Prometheus' own answers over HTTP, with the external labels in them.

mod exemplars;
mod rules;
mod status;
mod targets;
mod time;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use prom_model::Labels;
use serde::Deserialize;
use server::probe::Probe;
use storeapi::info::{
    ExemplarsInfo, InfoRequest, InfoResponse, MetricMetadataInfo, RulesInfo, StatusInfo, TargetsInfo,
    info_server,
};
use storeapi::thanos::{
    Label, LabelSet, Meta, MetricMetadata, MetricMetadataEntry, MetricMetadataRequest,
    MetricMetadataResponse, metadata_server, metric_metadata_response,
};
use tonic::{Request, Response, Status};

use super::PrometheusStore;
use super::client::PrometheusClient;
use super::peer::Peer;
use crate::Store;

/// Rules, Targets, Metadata, Exemplars, Status and Info of one Prometheus.
#[derive(Debug, Clone)]
pub struct PrometheusServices {
    client: PrometheusClient,
    peer: Peer,
    store: PrometheusStore,
    probe: Probe,
    status_timeout: Duration,
}

/// What a streaming call answers.
type Answer<T> = Result<Response<BoxStream<'static, Result<T, Status>>>, Status>;

fn stream<T: Send + 'static>(items: Vec<T>) -> Answer<T> {
    Ok(Response::new(futures::stream::iter(items).map(Ok).boxed()))
}

/// Labels as JSON has them.
type JsonLabels = BTreeMap<String, String>;

/// A label set with the external labels, which win.
fn enriched(labels: JsonLabels, external: &Labels) -> Option<LabelSet> {
    let mut labels = labels;
    labels.extend(external.iter().map(|label| (label.name.clone(), label.value.clone())));
    plain(labels)
}

/// A label set as it is.
fn plain(labels: JsonLabels) -> Option<LabelSet> {
    Some(LabelSet { labels: labels.into_iter().map(|(name, value)| Label { name, value }).collect() })
}

impl PrometheusServices {
    /// The services of the Prometheus behind a store. Info answers while `probe` is ready; statistics are waited for no longer
    /// than `status_timeout`.
    pub fn new(store: PrometheusStore, probe: Probe, status_timeout: Duration) -> Self {
        let (client, peer) = (store.client.clone(), store.peer.clone());
        PrometheusServices { client, peer, store, probe, status_timeout }
    }
}

#[tonic::async_trait]
impl info_server::Info for PrometheusServices {
    async fn info(&self, _request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        if !self.probe.is_ready() {
            return Err(Status::unknown("Not ready"));
        }
        let about = self.store.about();
        Ok(Response::new(InfoResponse {
            label_sets: about.label_set_messages(),
            component_type: "sidecar".to_owned(),
            store: Some(about.to_info()),
            rules: Some(RulesInfo {}),
            metric_metadata: Some(MetricMetadataInfo {}),
            targets: Some(TargetsInfo {}),
            exemplars: Some(ExemplarsInfo::default()),
            query: None,
            status: Some(StatusInfo {}),
        }))
    }
}

#[derive(Deserialize)]
struct JsonMeta {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    help: String,
    #[serde(default)]
    unit: String,
}

#[tonic::async_trait]
impl metadata_server::Metadata for PrometheusServices {
    type MetricMetadataStream = BoxStream<'static, Result<MetricMetadataResponse, Status>>;

    async fn metric_metadata(
        &self,
        request: Request<MetricMetadataRequest>,
    ) -> Answer<MetricMetadataResponse> {
        let request = request.into_inner();
        let mut query = Vec::new();
        if !request.metric.is_empty() {
            query.push(("metric", request.metric));
        }
        if request.limit >= 0 {
            query.push(("limit", request.limit.to_string()));
        }
        let metas: BTreeMap<String, Vec<JsonMeta>> =
            self.client.data(&["api", "v1", "metadata"], &query).await?;
        let meta = |meta: JsonMeta| Meta { r#type: meta.kind, help: meta.help, unit: meta.unit };
        let metadata = metas
            .into_iter()
            .map(|(metric, metas)| {
                (metric, MetricMetadataEntry { metas: metas.into_iter().map(meta).collect() })
            })
            .collect();
        let result = metric_metadata_response::Result::Metadata(MetricMetadata { metadata });
        stream(vec![MetricMetadataResponse { result: Some(result) }])
    }
}
