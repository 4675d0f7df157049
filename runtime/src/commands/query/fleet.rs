//! What the API tells of the components behind a querier.

use std::sync::Arc;

use api::thanos::{Endpoint, Fleet, Gathered};
use prom_model::{RelabelConfig, process};
use querier::FanOut;
use querier::endpoints::{EndpointSet, EndpointStatus};
use store::Context;
use storeapi::thanos::{
    ExemplarData, ExemplarsRequest, MetricMetadata, MetricMetadataRequest, RuleGroup, RulesRequest,
    TargetDiscovery, TargetsRequest, TsdbStatistics, TsdbStatisticsRequest,
};

/// Go's zero time, nanoseconds since the epoch: when nobody ever was asked.
const NEVER: i128 = -62_135_596_800_000_000_000;

/// The endpoints, and calls to all of them.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) endpoints: Arc<EndpointSet>,
    pub(super) fan_out: FanOut,
    /// Which label sets are selected.
    pub(super) selector: Vec<RelabelConfig>,
}

impl Known {
    fn endpoint(&self, status: EndpointStatus) -> Option<Endpoint> {
        let mut label_sets = status.label_sets;
        if !self.selector.is_empty() && !label_sets.is_empty() {
            label_sets.retain(|set| process(&self.selector, set.clone()).is_some());
            if label_sets.is_empty() {
                return None;
            }
        }
        Some(Endpoint {
            name: status.name,
            component: status.component,
            last_check: status.last_check.map_or(NEVER, |time| i128::from(time.as_millis()) * 1_000_000),
            last_error: status.last_error,
            label_sets,
            min_time: status.min_time,
            max_time: status.max_time,
        })
    }
}

#[async_trait::async_trait]
impl Fleet for Known {
    fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.statuses().into_iter().filter_map(|status| self.endpoint(status)).collect()
    }

    async fn rules(&self, request: RulesRequest, context: Context) -> Gathered<Vec<RuleGroup>> {
        self.fan_out.rules(request, context).await
    }

    async fn targets(&self, request: TargetsRequest, context: Context) -> Gathered<TargetDiscovery> {
        self.fan_out.targets(request, context).await
    }

    async fn metadata(&self, request: MetricMetadataRequest, context: Context) -> Gathered<MetricMetadata> {
        self.fan_out.metadata(request, context).await
    }

    async fn exemplars(&self, request: ExemplarsRequest, context: Context) -> Gathered<Vec<ExemplarData>> {
        self.fan_out.exemplars(request, context).await
    }

    async fn statistics(&self, request: TsdbStatisticsRequest, context: Context) -> Gathered<TsdbStatistics> {
        self.fan_out.statistics(request, context).await
    }
}
