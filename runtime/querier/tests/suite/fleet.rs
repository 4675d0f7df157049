//! Endpoints on the loopback address that can be stopped, slowed down and hung.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use budget::Budget;
use futures::StreamExt;
use prom_model::{ManualClock, TimestampMs};
use querier::discovery::{
    ClientConfig, Configured, Discover, EndpointSpec, Lookup, LookupError, Resolution, Service,
};
use querier::endpoints::{ConnectionMetrics, EndpointSet, EndpointSettings, GrpcConnect};
use store::acceptance::{Dataset, MemoryStore};
use store::{About, Context, Frames, Store, StoreService};
use storeapi::info::info_server::{Info, InfoServer};
use storeapi::info::{InfoRequest, InfoResponse, RulesInfo};
use storeapi::thanos::rules_server::{Rules, RulesServer};
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, RuleGroup, RulesRequest,
    RulesResponse, SeriesRequest, rules_response,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// How an endpoint answers calls; `Info` is always answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Well,
    /// After a while, but in time.
    Slowly,
    Never,
}

/// The limit of the queriers in these tests.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(400);

#[derive(Debug)]
struct Mannered {
    store: MemoryStore,
    manner: Arc<Mutex<Manner>>,
}

impl Mannered {
    async fn wait(manner: &Mutex<Manner>) {
        let now = *manner.lock().expect("no panic");
        match now {
            Manner::Well => {}
            Manner::Slowly => tokio::time::sleep(TIMEOUT / 4).await,
            Manner::Never => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Store for Mannered {
    async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status> {
        Self::wait(&self.manner).await;
        let manner = Arc::clone(&self.manner);
        let frames = self.store.series(request, context).await?;
        let frames = frames.then(move |frame| {
            let manner = Arc::clone(&manner);
            async move {
                Self::wait(&manner).await;
                frame
            }
        });
        Ok(frames.boxed())
    }

    async fn label_names(
        &self,
        request: LabelNamesRequest,
        context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        Self::wait(&self.manner).await;
        self.store.label_names(request, context).await
    }

    async fn label_values(
        &self,
        request: LabelValuesRequest,
        context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        Self::wait(&self.manner).await;
        self.store.label_values(request, context).await
    }

    fn about(&self) -> About {
        self.store.about()
    }
}

struct Told(InfoResponse);

#[tonic::async_trait]
impl Info for Told {
    async fn info(&self, _: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }
}

struct OneGroup {
    name: String,
    manner: Arc<Mutex<Manner>>,
}

#[tonic::async_trait]
impl Rules for OneGroup {
    type RulesStream = futures::stream::BoxStream<'static, Result<RulesResponse, Status>>;

    async fn rules(&self, _: Request<RulesRequest>) -> Result<Response<Self::RulesStream>, Status> {
        Mannered::wait(&self.manner).await;
        let group = RuleGroup { name: self.name.clone(), ..RuleGroup::default() };
        let message = RulesResponse { result: Some(rules_response::Result::Group(group)) };
        Ok(Response::new(futures::stream::iter([Ok(message)]).boxed()))
    }
}

/// A server; it ends when this is dropped.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) manner: Arc<Mutex<Manner>>,
    _ends: DropGuard,
}

impl Node {
    /// Serves data, and a group of rules with this name.
    pub(crate) fn start(data: Dataset, name: &str) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("valid"), data, name)
    }

    pub(crate) fn start_at(address: SocketAddr, data: Dataset, name: &str) -> Self {
        let incoming = TcpIncoming::bind(address).expect("a free port");
        let address = incoming.local_addr().expect("bound");
        let manner = Arc::new(Mutex::new(Manner::Well));
        let store = Arc::new(Mannered { store: MemoryStore::new(data), manner: Arc::clone(&manner) });
        let about = store.about();
        let info = InfoResponse {
            label_sets: about.label_set_messages(),
            component_type: "sidecar".to_owned(),
            store: Some(about.to_info()),
            rules: Some(RulesInfo {}),
            ..InfoResponse::default()
        };
        let rules = OneGroup { name: name.to_owned(), manner: Arc::clone(&manner) };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let server = Server::builder()
            .add_service(StoreService::new(store, Budget::unlimited()).into_server())
            .add_service(InfoServer::new(Told(info)))
            .add_service(RulesServer::new(rules));
        // Connections end with the server, not only its port.
        tokio::spawn(server.serve_with_incoming_shutdown(incoming, stopped.cancelled_owned()));
        Node { address, manner, _ends: stop.drop_guard() }
    }

    /// Stops it and waits until nobody answers any more.
    pub(crate) async fn stop(self) {
        let address = self.address;
        drop(self);
        let gone = async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the server ends");
        // Whoever is connected is told.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is configured, as the test says.
#[derive(Debug, Default)]
pub(crate) struct Listed(Mutex<Configured>);

impl Discover for Listed {
    fn configured(&self) -> Configured {
        self.0.lock().expect("no panic").clone()
    }
}

/// DNS is not asked here.
#[derive(Debug)]
struct NoDns;

#[async_trait]
impl Lookup for NoDns {
    async fn addresses(&self, _: &str, _: bool) -> Result<Vec<std::net::IpAddr>, LookupError> {
        Ok(Vec::new())
    }

    async fn services(&self, _: &str) -> Result<Vec<Service>, LookupError> {
        Ok(Vec::new())
    }
}

/// The name that stands for all endpoints.
pub(crate) const NAME: &str = "dnssrv+_grpc._tcp.sidecar";

/// A set of endpoints under test.
pub(crate) struct Fleet {
    pub(crate) listed: Arc<Listed>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) set: Arc<EndpointSet>,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let listed = Arc::new(Listed::default());
        let clock = Arc::new(ManualClock::new(TimestampMs::from_millis(1_700_000_000_000)));
        let connect = GrpcConnect::new(ClientConfig::default(), None, Arc::new(NoDns));
        let settings =
            EndpointSettings { info_timeout: Duration::from_secs(5), ..EndpointSettings::default() };
        let set = EndpointSet::new(
            Arc::clone(&listed) as Arc<dyn Discover>,
            Arc::new(connect),
            Arc::clone(&clock) as Arc<dyn prom_model::Clock>,
            settings,
            ConnectionMetrics::default(),
        );
        Fleet { listed, clock, set: Arc::new(set) }
    }

    /// DNS names these addresses from now on.
    pub(crate) fn resolve(&self, addresses: &[SocketAddr]) {
        let spec = |address: &SocketAddr| EndpointSpec {
            name: Some(NAME.to_owned()),
            ..EndpointSpec::fixed(address.to_string())
        };
        let resolution = if addresses.is_empty() { Resolution::Nothing } else { Resolution::Found };
        *self.listed.0.lock().expect("no panic") = Configured {
            endpoints: addresses.iter().map(spec).collect(),
            names: BTreeMap::from([(NAME.to_owned(), resolution)]),
        };
    }

    /// These are configured as they are from now on.
    pub(crate) fn configure(&self, configured: Configured) {
        *self.listed.0.lock().expect("no panic") = configured;
    }
}
