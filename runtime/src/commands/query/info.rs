//! What a querier says about itself to other queriers.

use std::sync::Arc;

use server::probe::Probe;
use store::Store;
use storeapi::info::info_server::{Info, InfoServer};
use storeapi::info::{
    ExemplarsInfo, InfoRequest, InfoResponse, MetricMetadataInfo, QueryApiInfo, RulesInfo, StatusInfo,
    TargetsInfo,
};
use tonic::{Request, Response, Status};

/// The service `thanos.info.Info`.
#[derive(Debug)]
pub(super) struct InfoService {
    store: Arc<dyn Store>,
    probe: Probe,
}

impl InfoService {
    pub(super) fn server(store: Arc<dyn Store>, probe: Probe) -> InfoServer<Self> {
        InfoServer::new(InfoService { store, probe })
    }
}

#[tonic::async_trait]
impl Info for InfoService {
    async fn info(&self, _: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        if !self.probe.is_ready() {
            return Err(Status::unknown("Not ready"));
        }
        let about = self.store.about();
        Ok(Response::new(InfoResponse {
            label_sets: about.label_set_messages(),
            component_type: "query".to_owned(),
            store: Some(about.to_info()),
            rules: Some(RulesInfo::default()),
            metric_metadata: Some(MetricMetadataInfo::default()),
            targets: Some(TargetsInfo::default()),
            exemplars: Some(ExemplarsInfo::default()),
            query: Some(QueryApiInfo::default()),
            status: Some(StatusInfo::default()),
        }))
    }
}
