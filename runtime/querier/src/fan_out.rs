//! Calls to all endpoints that offer a service, and one answer of theirs.

mod exemplars;
mod gather;
mod labels;
mod metadata;
mod rules;
mod services;
mod statistics;
mod targets;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use store::Context;
use storeapi::LabelBytes;
use storeapi::thanos::{
    ExemplarData, ExemplarsRequest, MetricMetadata, MetricMetadataRequest, RuleGroup, RulesRequest,
    TargetDiscovery, TargetsRequest, TsdbStatistics, TsdbStatisticsRequest,
};
use tonic::Status;

pub use services::FanOutServices;

use crate::Companions;

/// An answer of several endpoints, and warnings about what is missing in it.
pub type Gathered<T> = Result<(T, Vec<String>), Status>;

/// What other components know beside series, merged.
///
/// Where the strategy of a request is to warn, what an endpoint fails to give is a warning; else the call fails. An endpoint that
/// is configured but away counts as failed.
#[derive(Debug, Clone)]
pub struct FanOut {
    companions: Arc<dyn Companions>,
    settings: Arc<FanOutSettings>,
}

/// How answers are merged.
#[derive(Debug, Clone, Default)]
pub struct FanOutSettings {
    /// The labels that tell replicas apart (`--query.replica-label`).
    pub replica_labels: Vec<String>,
    /// Labels of everything behind this querier (`--selector-label`).
    pub selector_labels: LabelBytes,
    /// How long an endpoint may send nothing; `None`: as long as it likes.
    pub response_timeout: Option<Duration>,
}

impl FanOut {
    /// Calls to these endpoints.
    pub fn new(companions: Arc<dyn Companions>, settings: FanOutSettings) -> Self {
        FanOut { companions, settings: Arc::new(settings) }
    }

    /// The groups of rules that the request asks for. Groups of one file and name become one, in it equal rules of replicas the
    /// one that matters most: the more critical state, else the later evaluation.
    pub async fn rules(&self, request: RulesRequest, context: Context) -> Gathered<Vec<RuleGroup>> {
        let (groups, warnings) = self.all_rules(request.clone(), context).await?;
        let groups = rules::merge(groups, &request, &self.settings.replica_labels)?;
        Ok((groups, warnings))
    }

    /// Targets of scraping, those that differ only in replica labels once.
    pub async fn targets(&self, request: TargetsRequest, context: Context) -> Gathered<TargetDiscovery> {
        let (all, warnings) = self.all_targets(request, context).await?;
        Ok((targets::merge(all, &self.settings.replica_labels), warnings))
    }

    /// Type, help and unit of metrics, each variant once.
    pub async fn metadata(
        &self,
        request: MetricMetadataRequest,
        context: Context,
    ) -> Gathered<MetricMetadata> {
        let (all, warnings) = self.all_metadata(request.clone(), context).await?;
        Ok((metadata::merge(all, request.limit), warnings))
    }

    /// Exemplars of the series that the query selects, by series.
    pub async fn exemplars(
        &self,
        request: ExemplarsRequest,
        context: Context,
    ) -> Gathered<Vec<ExemplarData>> {
        let (all, warnings) = self.all_exemplars(request, context).await?;
        Ok((exemplars::merge(all, &self.settings.replica_labels), warnings))
    }

    /// What fills the heads, by tenant (`""` outside of receive).
    pub async fn statistics(
        &self,
        request: TsdbStatisticsRequest,
        context: Context,
    ) -> Gathered<TsdbStatistics> {
        let (all, warnings) = self.all_statistics(request, context).await?;
        Ok((statistics::merge(all), warnings))
    }
}
