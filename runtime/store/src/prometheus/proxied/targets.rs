//! `thanos.Targets`: `/api/v1/targets`.

use futures::stream::BoxStream;
use prom_model::Labels;
use serde::Deserialize;
use storeapi::thanos::{
    ActiveTarget, DroppedTarget, TargetDiscovery, TargetHealth, TargetsRequest, TargetsResponse,
    targets_request, targets_response, targets_server,
};
use tonic::{Request, Status};

use super::time::JsonTime;
use super::{Answer, JsonLabels, PrometheusServices, enriched, stream};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Discovery {
    active_targets: Vec<Active>,
    dropped_targets: Vec<Dropped>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Active {
    discovered_labels: JsonLabels,
    labels: JsonLabels,
    scrape_pool: String,
    scrape_url: String,
    global_url: String,
    last_error: String,
    last_scrape: JsonTime,
    last_scrape_duration: f64,
    health: Health,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Dropped {
    discovered_labels: JsonLabels,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    #[default]
    Down,
    Up,
    Unknown,
}

impl Active {
    fn message(self, external: &Labels) -> ActiveTarget {
        let health = match self.health {
            Health::Down => TargetHealth::HealthDown,
            Health::Up => TargetHealth::HealthUp,
            Health::Unknown => TargetHealth::HealthUnknown,
        };
        ActiveTarget {
            discovered_labels: enriched(self.discovered_labels, external),
            labels: enriched(self.labels, external),
            scrape_pool: self.scrape_pool,
            scrape_url: self.scrape_url,
            global_url: self.global_url,
            last_error: self.last_error,
            last_scrape: self.last_scrape.message(),
            last_scrape_duration: self.last_scrape_duration,
            health: health.into(),
        }
    }
}

#[tonic::async_trait]
impl targets_server::Targets for PrometheusServices {
    type TargetsStream = BoxStream<'static, Result<TargetsResponse, Status>>;

    async fn targets(&self, request: Request<TargetsRequest>) -> Answer<TargetsResponse> {
        use targets_request::State;
        let query = match (State::try_from(request.get_ref().state), request.get_ref().state) {
            (Ok(State::Any), _) => Vec::new(),
            (Ok(state), _) => vec![("state", state.as_str_name().to_ascii_lowercase())],
            (Err(_), number) => vec![("state", number.to_string())],
        };
        let targets: Discovery = self.client.data(&["api", "v1", "targets"], &query).await?;
        let external = self.peer.labels();
        let dropped = |target: Dropped| DroppedTarget {
            discovered_labels: enriched(target.discovered_labels, &external),
        };
        let discovery = TargetDiscovery {
            active_targets: targets
                .active_targets
                .into_iter()
                .map(|target| target.message(&external))
                .collect(),
            dropped_targets: targets.dropped_targets.into_iter().map(dropped).collect(),
        };
        stream(vec![TargetsResponse { result: Some(targets_response::Result::Targets(discovery)) }])
    }
}
