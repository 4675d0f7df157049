//! The HTTP API of a querier: Prometheus' API with Thanos' parameters, over many stores.
//!
//! [`routes`] gives the endpoints below `/api/v1`; [`QueryService`] answers the same queries over gRPC. Texts, codes and shapes
//! are Thanos'; where its two engines differ, those of `prometheus` are given for both.

mod access;
mod answer;
mod exemplars;
mod explain;
mod grpc;
mod labels;
mod metadata;
mod object;
mod page;
mod parameters;
mod query;
mod rules;
mod series;
mod status;
mod stores;
mod targets;
mod telemetry;
mod tenancy;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, get, on};
use budget::Budget;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Evaluator;
use crate::gate::Gate;
use crate::v1::Identity;

pub use access::{ActiveLog, Endpoint, Fleet, Gathered, Opened, Reading, Stores};
pub use grpc::QueryService;
pub use page::Prefix;
pub use telemetry::{Buckets, Telemetry};
pub use tenancy::Tenancy;

/// Which of Thanos' engines a query names; here both are the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineName {
    /// `prometheus`
    Prometheus,
    /// `thanos`
    Thanos,
}

impl EngineName {
    /// Reads the value of `--query.promql-engine` and of the parameter `engine`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "prometheus" => Some(EngineName::Prometheus),
            "thanos" => Some(EngineName::Thanos),
            _ => None,
        }
    }
}

/// Whether answers may lack what a component has, where the request does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialResponse {
    /// `--query.partial-response`
    pub query: bool,
    /// `--rule.partial-response`
    pub rule: bool,
    /// `--target.partial-response`
    pub target: bool,
    /// `--metric-metadata.partial-response`
    pub metadata: bool,
    /// `--exemplar.partial-response`
    pub exemplar: bool,
    /// `--status.partial-response`
    pub status: bool,
}

/// What requests are answered with where they do not say otherwise. Durations are milliseconds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `--query.replica-label`, sorted, each once.
    pub replica_labels: Vec<String>,
    /// `--query.auto-downsampling`
    pub auto_downsampling: bool,
    /// The switches of partial responses.
    pub partial_response: PartialResponse,
    /// `--query.promql-engine`
    pub engine: EngineName,
    /// `--query.lookback-delta`; 0 is Prometheus' own.
    pub lookback_delta: i64,
    /// `--query.dynamic-lookback-delta`
    pub dynamic_lookback_delta: bool,
    /// `--query.default-step`
    pub default_step: i64,
    /// `--query.instant.default.max_source_resolution`
    pub instant_max_source_resolution: i64,
    /// `--query.metadata.default-time-range`; 0 is all of time.
    pub metadata_time_range: i64,
    /// Whose requests are whose.
    pub tenancy: Tenancy,
    /// Whether other sites may not read (`--web.disable-cors`).
    pub disable_cors: bool,
}

/// What the endpoints work with.
#[derive(Debug, Clone)]
pub struct ThanosApi {
    /// Where series come from.
    pub stores: Arc<dyn Stores>,
    /// What other components know.
    pub fleet: Arc<dyn Fleet>,
    /// Runs queries.
    pub evaluator: Arc<Evaluator>,
    /// Where they wait.
    pub gate: Arc<Gate>,
    /// Where they are written down while they run.
    pub active: Option<Arc<dyn ActiveLog>>,
    /// What is counted of them.
    pub telemetry: Arc<Telemetry>,
    /// What the server says about itself.
    pub identity: Arc<Identity>,
    /// What requests are answered with.
    pub settings: Arc<Settings>,
}

impl ThanosApi {
    /// The context of a call to other components; the call ends when the guard is dropped.
    fn context(&self, tenant: &str) -> (store::Context, DropGuard) {
        let cancel = CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        let tenant = Some(tenant.to_owned());
        (store::Context { tenant, cancel, budget: self.budget(), ..store::Context::unlimited() }, guard)
    }

    /// The memory of a request that is no query.
    fn budget(&self) -> Budget {
        self.evaluator.budget_for_one()
    }
}

/// The endpoints of the API with their full paths, and a page at `/`; all of them below the prefix.
pub fn routes(api: ThanosApi, prefix: &Prefix) -> Router {
    let cors = !api.settings.disable_cors;
    let both = MethodFilter::GET.or(MethodFilter::POST);
    let v1 = Router::new()
        .route("/query", on(both, query::instant))
        .route("/query_range", on(both, query::range))
        .route("/query_explain", on(both, explain::instant))
        .route("/query_range_explain", on(both, explain::range))
        .route("/query_exemplars", on(both, exemplars::exemplars))
        .route("/format_query", on(both, query::format_query))
        .route("/parse_query", on(both, query::parse_query))
        .route("/labels", on(both, labels::names))
        .route("/label/{name}/values", get(labels::values))
        .route("/series", on(both, series::series))
        .route("/stores", get(stores::stores))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/targets", get(targets::targets))
        .route("/metadata", get(metadata::metadata))
        .route("/status/tsdb", get(status::statistics))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/buildinfo", get(status::build_info))
        .method_not_allowed_fallback(crate::v1::not_allowed)
        .fallback(answer::not_found)
        .layer(from_fn_with_state(cors, answer::add_cors))
        .with_state(api.clone());
    page::below(Router::new().nest("/api/v1", v1), prefix)
}

/// The state as handlers take it.
type Asked = State<ThanosApi>;

/// The strategy of partial responses on the wire.
fn strategy(partial_response: bool) -> i32 {
    use storeapi::thanos::PartialResponseStrategy::{Abort, Warn};
    if partial_response { Warn.into() } else { Abort.into() }
}

/// A failed call as Go's client prints it; an error of our own, which has no code, by its text.
fn words(status: &tonic::Status) -> String {
    match status.code() {
        tonic::Code::Unknown => status.message().to_owned(),
        code => format!("rpc error: code = {code:?} desc = {}", status.message()),
    }
}
