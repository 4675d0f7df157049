//! `thanos.info.Info`: what the store serves, once it does.

use server::probe::Probe;
use store::Store;
use store::bucket::BucketStore;
use storeapi::info::info_server::Info;
use storeapi::info::{InfoRequest, InfoResponse};
use storeapi::thanos::{Label, LabelSet};
use tonic::{Request, Response, Status};

/// The service.
#[derive(Debug, Clone)]
pub(super) struct StoreInfo {
    store: BucketStore,
    probe: Probe,
}

/// By this label queriers of before 2019 know what kind of store it is; Thanos still sends it.
const KIND_LABEL: &str = "@thanos_compatibility_store_type";

impl StoreInfo {
    pub(super) fn new(store: BucketStore, probe: Probe) -> Self {
        StoreInfo { store, probe }
    }
}

#[tonic::async_trait]
impl Info for StoreInfo {
    async fn info(&self, _: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        if !self.probe.is_ready() {
            return Err(Status::unknown("Not ready"));
        }
        let about = self.store.about();
        let mut label_sets = about.label_set_messages();
        // Without external labels there is nothing that the label would have to be told from.
        if !label_sets.is_empty() {
            let label = Label { name: KIND_LABEL.to_owned(), value: "store".to_owned() };
            label_sets.push(LabelSet { labels: vec![label] });
        }
        Ok(Response::new(InfoResponse {
            label_sets,
            component_type: "store".to_owned(),
            store: Some(about.to_info()),
            ..InfoResponse::default()
        }))
    }
}
