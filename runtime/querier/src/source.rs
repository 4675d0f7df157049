//! Stores as the storage of one query.
//!
//! A selection is a `Series` call that runs on the runtime; its frames come through a bounded channel to the threads that
//! evaluate. There labels become symbols of the query, series that differ only in replica labels become one, and chunks are
//! decoded when a thread reads their series. What is on the way is charged to the query's budget.

mod batch;
mod call;
mod catalog;
mod failure;
mod names;
mod options;
mod set;

use std::sync::Arc;

use budget::Budget;
use promql::{Select, SeriesSet, SeriesSource, SourceError};
use query::{Merging, Wanted};
use server::trace::Caller;
use store::{Context, Store};
use storeapi::thanos::{PartialResponseStrategy, QueryHints, SeriesRequest};
use storeapi::{Aggregate, to_wire};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::failure::StoreFailure;
pub use self::options::QueryOptions;

/// The storage of one query: what a store, most often one over many others, has.
///
/// Selections and the [`query::Catalog`] are called on threads that may block, never on those of the runtime.
#[derive(Debug, Clone)]
pub struct StoreSource {
    store: Arc<dyn Store>,
    runtime: Handle,
    options: Arc<QueryOptions>,
    /// What every call is made in; the token of each call is a child of this one.
    context: Context,
    turns: Arc<Semaphore>,
    /// Whose query it is; threads that evaluate do not know.
    caller: Caller,
}

impl StoreSource {
    /// Storage for one query. `runtime` runs the calls, `cancel` ends them, `budget` is the memory that the query may hold.
    pub fn new(
        store: Arc<dyn Store>,
        runtime: Handle,
        options: QueryOptions,
        cancel: CancellationToken,
        budget: Budget,
    ) -> Self {
        let turns = match options.max_concurrent_select {
            0 => Semaphore::MAX_PERMITS,
            some => some.min(Semaphore::MAX_PERMITS),
        };
        let context = Context {
            tenant: options.tenant.clone(),
            cancel,
            budget,
            store_match: options.store_match.clone().into(),
        };
        let turns = Arc::new(Semaphore::new(turns));
        StoreSource { store, runtime, options: Arc::new(options), context, turns, caller: Caller::here() }
    }

    fn request(&self, select: &Select) -> SeriesRequest {
        let options = &self.options;
        let allowed = options.max_source_resolution;
        let wanted = Wanted::by(self.reads_as(select));
        SeriesRequest {
            min_time: select.min_time,
            max_time: select.max_time,
            matchers: to_wire(&select.matchers),
            max_resolution_window: query::resolution::for_selector(allowed, select.range, select.function),
            aggregates: wanted.aggregates().iter().map(|aggregate| number(*aggregate)).collect(),
            partial_response_strategy: self.strategy(),
            skip_chunks: options.skip_chunks || select.series_only,
            query_hints: Some(QueryHints::default()),
            shard_info: options.shard_info.clone(),
            without_replica_labels: options.removed_labels(),
            limit: options.limit,
            response_batch_size: store::BATCH as i64,
            ..SeriesRequest::default()
        }
    }

    /// The function that decides what is read of the chunks.
    ///
    /// Downsampled counters are read without their resets, and raw ones too where a replica takes the turn with a lower value. Whoever
    /// counts resets wants them even there, and gets them where only raw data are read; the original finds none there either.
    fn reads_as(&self, select: &Select) -> &'static str {
        let allowed = self.options.max_source_resolution;
        let raw = query::resolution::for_selector(allowed, select.range, select.function) <= 0;
        if raw && select.function == "resets" { "" } else { select.function }
    }

    fn strategy(&self) -> i32 {
        let strategy = if self.options.partial_response {
            PartialResponseStrategy::Warn
        } else {
            PartialResponseStrategy::Abort
        };
        strategy.into()
    }
}

impl SeriesSource for StoreSource {
    fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>, SourceError> {
        let times = self.options.times.unwrap_or(select.query_times);
        let merging = Merging::new(self.reads_as(select), self.options.deduplicates(), times);
        let call = call::Call {
            store: Arc::clone(&self.store),
            request: self.request(select),
            context: self.context.clone(),
            turns: Arc::clone(&self.turns),
            timeout: self.options.select_timeout,
        };
        let frames = call.start(&self.runtime, &self.caller);
        Ok(Box::new(set::Selected::new(frames, merging, select.projection.clone())))
    }
}

/// The number of an aggregate in a request.
const fn number(aggregate: query::Aggregate) -> i32 {
    wire(aggregate) as i32
}

/// An aggregate as it is called on the wire.
const fn wire(aggregate: query::Aggregate) -> Aggregate {
    match aggregate {
        query::Aggregate::Raw => Aggregate::Raw,
        query::Aggregate::Count => Aggregate::Count,
        query::Aggregate::Sum => Aggregate::Sum,
        query::Aggregate::Min => Aggregate::Min,
        query::Aggregate::Max => Aggregate::Max,
        query::Aggregate::Counter => Aggregate::Counter,
    }
}
