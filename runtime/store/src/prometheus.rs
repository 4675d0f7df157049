//! One Prometheus as a store: `Series` out of its remote read, labels, rules, targets, metadata, exemplars and statistics out
//! of its HTTP API, all with its external labels.

mod client;
mod facts;
mod frames;
mod heartbeat;
mod labels;
mod matchers;
mod metrics;
mod order;
mod peer;
mod proxied;
mod relabel;
mod remote_read;
mod sampled;
mod series_api;
mod streamed;

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use prom_model::Matcher;
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use storeapi::{LabelBytes, Shard};
use tonic::Status;

pub use client::{BaseUrlError, Failure, PrometheusClient};
pub use facts::{FactError, PrometheusFlags};
pub use heartbeat::{FlagsError, Heartbeat, HeartbeatError, HeartbeatSettings, UploadChecks};
pub use metrics::PrometheusStoreMetrics;
pub use peer::Peer;
pub use proxied::PrometheusServices;

use self::relabel::Relabel;
use self::remote_read::Answer;
use self::streamed::Outgoing;
use crate::{About, Context, Extent, Frames, Store};

/// The StoreAPI over one Prometheus.
#[derive(Debug, Clone)]
pub struct PrometheusStore {
    client: PrometheusClient,
    peer: Peer,
    metrics: PrometheusStoreMetrics,
}

impl PrometheusStore {
    /// A store over the Prometheus that `client` asks and of which `peer` knows.
    pub fn new(client: PrometheusClient, peer: Peer, metrics: PrometheusStoreMetrics) -> Self {
        PrometheusStore { client, peer, metrics }
    }

    /// From which name on the labels that go out can have another order than those inside Prometheus; see [`order`].
    async fn first_changed(
        &self,
        relabel: &Relabel,
        matchers: &[Matcher],
        range: (i64, i64),
    ) -> Option<Bytes> {
        let path = ["api", "v1", "labels"];
        let ask = async |matchers| -> Option<BTreeSet<String>> {
            self.listed(&path, matchers, range, 0).await.ok()
        };
        let of = |names: &BTreeSet<String>| relabel.first_changed(names.iter().map(String::as_str));
        // The names of the whole database cost Prometheus next to nothing, those of some series as much as the series.
        let Some(names) = ask(&[]).await else { return Some(Bytes::new()) };
        let first = of(&names)?;
        if !self.peer.label_calls_take_matchers() {
            return Some(first);
        }
        match ask(matchers).await {
            Some(names) => of(&names),
            None => Some(first),
        }
    }
}

#[async_trait]
impl Store for PrometheusStore {
    async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status> {
        let external = self.peer.labels();
        let Some(matchers) = matchers::without_external(&request.matchers, &external)? else {
            return Ok(Box::pin(futures::stream::empty()));
        };
        if matchers.is_empty() {
            return Err(Status::invalid_argument("no matchers specified (excluding external labels)"));
        }
        let relabel = Relabel::new(&external, &request.without_replica_labels);
        let range = (request.min_time.max(self.peer.min_time()), request.max_time);
        if request.skip_chunks {
            let sets = series_api::series(&self.client, &matchers, range, request.limit).await?;
            return series_api::frames(sets, &relabel, request.limit, &context);
        }
        let (answer, first) = futures::join!(
            remote_read::start(&self.client, &matchers, range.0, range.1),
            self.first_changed(&relabel, &matchers, range),
        );
        let outgoing = Outgoing { relabel, first, shard: Shard::new(request.shard_info.as_ref()) };
        match answer? {
            Answer::Streamed(answer) => {
                Ok(streamed::splice(answer, outgoing, &context, self.metrics.clone()))
            }
            Answer::Sampled(answer) => sampled::rechunk(answer, outgoing, &context).await,
        }
    }

    async fn label_names(
        &self,
        request: LabelNamesRequest,
        _context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        self.names(request).await
    }

    async fn label_values(
        &self,
        request: LabelValuesRequest,
        _context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        self.values(request).await
    }

    fn about(&self) -> About {
        let labels = LabelBytes::from_labels(&self.peer.labels());
        let min_time = self.peer.min_time();
        let sets = if labels.is_empty() { Vec::new() } else { vec![labels] };
        let extent = |labels: &LabelBytes| Extent { labels: labels.clone(), min_time, max_time: i64::MAX };
        About {
            extents: sets.iter().map(extent).collect(),
            label_sets: sets,
            min_time,
            max_time: i64::MAX,
            supports_sharding: true,
            supports_without_replica_labels: true,
        }
    }
}
