//! The fan-out as services of gRPC, so that queriers stack. As in Thanos nothing is merged here: the querier above does it.

use std::pin::Pin;

use budget::Budget;
use futures::{Stream, stream};
use store::{Context, tenant};
use storeapi::thanos::{
    ExemplarsRequest, ExemplarsResponse, MetricMetadataRequest, MetricMetadataResponse, RulesRequest,
    RulesResponse, TargetsRequest, TargetsResponse, TsdbStatisticsRequest, TsdbStatisticsResponse,
    exemplars_response, exemplars_server, metadata_server, metric_metadata_response, rules_response,
    rules_server, status_server, targets_response, targets_server, tsdb_statistics_response,
};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::FanOut;

/// The services Rules, Targets, Metadata, Exemplars and Status of a querier.
#[derive(Debug, Clone)]
pub struct FanOutServices {
    fan_out: FanOut,
}

type Answer<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

impl FanOutServices {
    /// Serves this fan-out.
    pub fn new(fan_out: FanOut) -> Self {
        FanOutServices { fan_out }
    }

    /// The service `thanos.Rules` for a server.
    pub fn rules(&self) -> rules_server::RulesServer<Self> {
        rules_server::RulesServer::new(self.clone()).max_encoding_message_size(storeapi::MESSAGE_MAX)
    }

    /// The service `thanos.Targets`.
    pub fn targets(&self) -> targets_server::TargetsServer<Self> {
        targets_server::TargetsServer::new(self.clone()).max_encoding_message_size(storeapi::MESSAGE_MAX)
    }

    /// The service `thanos.Metadata`.
    pub fn metadata(&self) -> metadata_server::MetadataServer<Self> {
        metadata_server::MetadataServer::new(self.clone()).max_encoding_message_size(storeapi::MESSAGE_MAX)
    }

    /// The service `thanos.Exemplars`.
    pub fn exemplars(&self) -> exemplars_server::ExemplarsServer<Self> {
        exemplars_server::ExemplarsServer::new(self.clone()).max_encoding_message_size(storeapi::MESSAGE_MAX)
    }

    /// The service `thanos.Status`.
    pub fn status(&self) -> status_server::StatusServer<Self> {
        status_server::StatusServer::new(self.clone()).max_encoding_message_size(storeapi::MESSAGE_MAX)
    }
}

fn context(metadata: &MetadataMap) -> Context {
    Context {
        tenant: tenant(metadata),
        cancel: CancellationToken::new(),
        budget: Budget::unlimited(),
        ..Context::unlimited()
    }
}

/// Warnings first, then what there is.
fn answer<T, M: Send + 'static>(
    (data, warnings): (Vec<T>, Vec<String>),
    warning: impl Fn(String) -> M,
    item: impl Fn(T) -> M,
) -> Response<Answer<M>> {
    let messages: Vec<_> =
        warnings.into_iter().map(warning).chain(data.into_iter().map(item)).map(Ok).collect();
    Response::new(Box::pin(stream::iter(messages)))
}

#[tonic::async_trait]
impl rules_server::Rules for FanOutServices {
    type RulesStream = Answer<RulesResponse>;

    async fn rules(&self, request: Request<RulesRequest>) -> Result<Response<Self::RulesStream>, Status> {
        let context = context(request.metadata());
        let gathered = self.fan_out.all_rules(request.into_inner(), context).await?;
        let message = |result| RulesResponse { result: Some(result) };
        Ok(answer(
            gathered,
            |text| message(rules_response::Result::Warning(text)),
            |group| message(rules_response::Result::Group(group)),
        ))
    }
}

#[tonic::async_trait]
impl targets_server::Targets for FanOutServices {
    type TargetsStream = Answer<TargetsResponse>;

    async fn targets(
        &self,
        request: Request<TargetsRequest>,
    ) -> Result<Response<Self::TargetsStream>, Status> {
        let context = context(request.metadata());
        let gathered = self.fan_out.all_targets(request.into_inner(), context).await?;
        let message = |result| TargetsResponse { result: Some(result) };
        Ok(answer(
            gathered,
            |text| message(targets_response::Result::Warning(text)),
            |targets| message(targets_response::Result::Targets(targets)),
        ))
    }
}

#[tonic::async_trait]
impl metadata_server::Metadata for FanOutServices {
    type MetricMetadataStream = Answer<MetricMetadataResponse>;

    async fn metric_metadata(
        &self,
        request: Request<MetricMetadataRequest>,
    ) -> Result<Response<Self::MetricMetadataStream>, Status> {
        let context = context(request.metadata());
        let gathered = self.fan_out.all_metadata(request.into_inner(), context).await?;
        let message = |result| MetricMetadataResponse { result: Some(result) };
        Ok(answer(
            gathered,
            |text| message(metric_metadata_response::Result::Warning(text)),
            |metadata| message(metric_metadata_response::Result::Metadata(metadata)),
        ))
    }
}

#[tonic::async_trait]
impl exemplars_server::Exemplars for FanOutServices {
    type ExemplarsStream = Answer<ExemplarsResponse>;

    async fn exemplars(
        &self,
        request: Request<ExemplarsRequest>,
    ) -> Result<Response<Self::ExemplarsStream>, Status> {
        let context = context(request.metadata());
        let gathered = self.fan_out.all_exemplars(request.into_inner(), context).await?;
        let message = |result| ExemplarsResponse { result: Some(result) };
        Ok(answer(
            gathered,
            |text| message(exemplars_response::Result::Warning(text)),
            |data| message(exemplars_response::Result::Data(data)),
        ))
    }
}

#[tonic::async_trait]
impl status_server::Status for FanOutServices {
    type TSDBStatisticsStream = Answer<TsdbStatisticsResponse>;

    async fn tsdb_statistics(
        &self,
        request: Request<TsdbStatisticsRequest>,
    ) -> Result<Response<Self::TSDBStatisticsStream>, Status> {
        let context = context(request.metadata());
        let gathered = self.fan_out.all_statistics(request.into_inner(), context).await?;
        let message = |result| TsdbStatisticsResponse { result: Some(result) };
        Ok(answer(
            gathered,
            |text| message(tsdb_statistics_response::Result::Warning(text)),
            |statistics| message(tsdb_statistics_response::Result::Statistics(statistics)),
        ))
    }
}
