//! The contract of stores, run over each kind of them.

mod bucket;
mod prometheus;

use std::sync::Arc;

use store::acceptance::{Dataset, MemoryStore, Traits, cases, run};
use store::{About, Member, ProxySettings, ProxyStore, Store};

use super::served::{Served, remote, serve};

async fn passes(store: Arc<dyn Store>, data: &Dataset) {
    passes_with(store, data, Traits::NONE).await;
}

async fn passes_with(store: Arc<dyn Store>, data: &Dataset, traits: Traits) {
    let outcome = run(store, data, traits).await;
    assert!(
        outcome.failed.is_empty(),
        "{} cases broken:\n{}",
        outcome.failed.len(),
        outcome.failed.join("\n")
    );
    let left_out = cases(data).iter().filter(|case| !case.applies(traits)).count();
    assert_eq!((outcome.passed, outcome.left_out), (cases(data).len() - left_out, left_out));
}

fn parts(data: &Dataset) -> Vec<Arc<MemoryStore>> {
    let store = |part: &_| Arc::new(MemoryStore::new(Dataset { parts: vec![Clone::clone(part)] }));
    data.parts.iter().map(store).collect()
}

#[test]
fn there_are_enough_cases_each_with_a_name_of_its_own() {
    let mut names: Vec<_> = cases(&Dataset::several()).into_iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 200, "{count} cases");
}

#[tokio::test]
async fn memory() {
    for data in [Dataset::one(), Dataset::several()] {
        passes(Arc::new(MemoryStore::new(data.clone())), &data).await;
    }
}

#[tokio::test]
async fn remote_store() {
    let data = Dataset::several();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(data.clone()));
    let served = serve(Arc::clone(&store));
    passes(Arc::new(remote(&served, &*store)), &data).await;
}

#[tokio::test]
async fn proxy_over_stores_in_this_process() {
    let data = Dataset::several();
    let members: Vec<Member> = parts(&data).into_iter().map(|store| Member::local(store)).collect();
    passes(Arc::new(ProxyStore::new(Arc::new(members), ProxySettings::default())), &data).await;
}

#[tokio::test]
async fn proxy_over_stores_behind_grpc() {
    let data = Dataset::several();
    let mut servers: Vec<Served> = Vec::new();
    let mut members = Vec::new();
    for store in parts(&data) {
        let served = serve(Arc::clone(&store) as Arc<dyn Store>);
        let remote = remote(&served, &*store);
        members.push(Member::open(served.address.to_string(), store.about(), Arc::new(remote)));
        servers.push(served);
    }
    passes(Arc::new(ProxyStore::new(Arc::new(members), ProxySettings::default())), &data).await;
}

/// Stores of old versions neither remove replica labels nor shard, and some do not say what they have.
#[derive(Debug)]
struct Old(MemoryStore);

#[async_trait::async_trait]
impl Store for Old {
    async fn series(
        &self,
        mut request: storeapi::thanos::SeriesRequest,
        context: store::Context,
    ) -> Result<store::Frames, tonic::Status> {
        request.without_replica_labels.clear();
        request.shard_info = None;
        request.limit = 0;
        self.0.series(request, context).await
    }

    async fn label_names(
        &self,
        mut request: storeapi::thanos::LabelNamesRequest,
        context: store::Context,
    ) -> Result<storeapi::thanos::LabelNamesResponse, tonic::Status> {
        request.without_replica_labels.clear();
        self.0.label_names(request, context).await
    }

    async fn label_values(
        &self,
        mut request: storeapi::thanos::LabelValuesRequest,
        context: store::Context,
    ) -> Result<storeapi::thanos::LabelValuesResponse, tonic::Status> {
        request.without_replica_labels.clear();
        self.0.label_values(request, context).await
    }

    fn about(&self) -> About {
        About::whole()
    }
}

#[tokio::test]
async fn proxy_over_old_stores() {
    let data = Dataset::several();
    let members: Vec<Member> =
        parts(&data).into_iter().map(|store| Member::local(Arc::new(Old((*store).clone())))).collect();
    passes(Arc::new(ProxyStore::new(Arc::new(members), ProxySettings::default())), &data).await;
}

#[tokio::test]
async fn proxy_over_a_proxy() {
    let data = Dataset::several();
    let mut members: Vec<Member> = parts(&data).into_iter().map(|store| Member::local(store)).collect();
    let last = members.split_off(1);
    let inner: Arc<dyn Store> = Arc::new(ProxyStore::new(Arc::new(last), ProxySettings::default()));
    members.push(Member::local(inner));
    passes(Arc::new(ProxyStore::new(Arc::new(members), ProxySettings::default())), &data).await;
}
