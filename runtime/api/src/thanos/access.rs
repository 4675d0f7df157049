//! What the endpoints of a querier work over: storage opened as a request asks, and what other components know.

use std::fmt;
use std::sync::Arc;

use ::query::Catalog;
use async_trait::async_trait;
use budget::Budget;
use prom_model::{Labels, Matcher};
use promql::SeriesSource;
use store::Context;
use storeapi::thanos::{
    ExemplarData, ExemplarsRequest, MetricMetadata, MetricMetadataRequest, RuleGroup, RulesRequest,
    ShardInfo, TargetDiscovery, TargetsRequest, TsdbStatistics, TsdbStatisticsRequest,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// How a request wants storage to be read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Whether replicas of a series become one.
    pub dedup: bool,
    /// The labels that tell replicas apart.
    pub replica_labels: Vec<String>,
    /// Which stores may be asked; all where there is no set.
    pub store_match: Arc<[Vec<Matcher>]>,
    /// The coarsest resolution that may be read, milliseconds.
    pub max_resolution: i64,
    /// Whether an answer may lack what some stores have; a warning says it then.
    pub partial_response: bool,
    /// The part of the series that is wanted, where it is not all of them.
    pub shard: Option<ShardInfo>,
    /// So many series or texts are wanted (0: all).
    pub limit: usize,
    /// The first and the last time that the query reads, milliseconds since the epoch, where it is known: each of its
    /// selectors sees replicas as if it read all of it.
    pub times: Option<(i64, i64)>,
    /// Whose request it is.
    pub tenant: String,
    /// Ends all calls that are made for the request.
    pub cancel: CancellationToken,
    /// The memory that the request may hold.
    pub budget: Budget,
}

/// Storage as one request sees it.
#[derive(Clone)]
pub struct Opened {
    /// Series with their samples.
    pub source: Arc<dyn SeriesSource>,
    /// Which series and labels there are.
    pub catalog: Arc<dyn Catalog>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

/// Storage that is opened anew for each request.
pub trait Stores: fmt::Debug + Send + Sync {
    /// Opens it; nothing is read yet.
    fn open(&self, reading: Reading) -> Opened;
}

/// What an endpoint said when it was asked last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub name: String,
    /// What it is, as in `sidecar`.
    pub component: String,
    /// When it was asked, nanoseconds since the epoch.
    pub last_check: i128,
    /// Why that failed.
    pub last_error: Option<String>,
    /// The external labels of its data.
    pub label_sets: Vec<Labels>,
    /// The earliest time of which it may have samples, milliseconds since the epoch.
    pub min_time: i64,
    /// The latest.
    pub max_time: i64,
}

/// An answer of several components, and what is missing in it.
pub type Gathered<T> = Result<(T, Vec<String>), Status>;

/// Other components, for everything that is no series.
///
/// Answers are merged and without duplicates. Where the strategy of a request is to warn, the failure of one component is a
/// warning.
#[async_trait]
pub trait Fleet: fmt::Debug + Send + Sync {
    /// The endpoints whose kind is known.
    fn endpoints(&self) -> Vec<Endpoint>;

    /// The groups of rules that the request asks for, merged over replicas.
    async fn rules(&self, request: RulesRequest, context: Context) -> Gathered<Vec<RuleGroup>>;

    /// Targets of scraping.
    async fn targets(&self, request: TargetsRequest, context: Context) -> Gathered<TargetDiscovery>;

    /// What metrics mean.
    async fn metadata(&self, request: MetricMetadataRequest, context: Context) -> Gathered<MetricMetadata>;

    /// Exemplars.
    async fn exemplars(&self, request: ExemplarsRequest, context: Context) -> Gathered<Vec<ExemplarData>>;

    /// How much the heads of databases hold, by tenant.
    async fn statistics(&self, request: TsdbStatisticsRequest, context: Context) -> Gathered<TsdbStatistics>;
}

/// Where the queries that run are written down (`--query.active-query-path`).
pub trait ActiveLog: fmt::Debug + Send + Sync {
    /// Writes a query down; gives what [`ActiveLog::end`] takes. `None` where there is no room.
    fn begin(&self, query: &str) -> Option<usize>;

    /// The query has ended.
    fn end(&self, place: usize);
}

/// A query that is written down until this is dropped.
#[derive(Debug)]
pub(super) struct Active {
    log: Arc<dyn ActiveLog>,
    place: usize,
}

impl Active {
    pub(super) fn begin(log: Option<&Arc<dyn ActiveLog>>, query: &str) -> Option<Self> {
        let log = Arc::clone(log?);
        let place = log.begin(query)?;
        Some(Active { log, place })
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.log.end(self.place);
    }
}
