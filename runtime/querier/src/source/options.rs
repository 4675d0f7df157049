//! What a query asks of its storage beside the text.

use std::time::Duration;

use prom_model::Matcher;
use query::Deduplication;
use storeapi::thanos::ShardInfo;

/// How one query reads from stores: parameters of the HTTP API, or flags where they say nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryOptions {
    /// Whether replicas become one series (`dedup`).
    pub dedup: bool,
    /// The labels that tell replicas apart (`replicaLabels[]`, `--query.replica-label`). Without any, nothing is deduplicated.
    pub replica_labels: Vec<String>,
    /// How replicas become one (`--deduplication.func`).
    pub deduplication: Deduplication,
    /// Whether an answer without what some store has is an answer, with a warning (`partial_response`).
    pub partial_response: bool,
    /// The coarsest resolution that may be read, milliseconds; 0 for raw samples only (`max_source_resolution`).
    pub max_source_resolution: i64,
    /// Which stores are asked (`storeMatch[]`), as in [`store::Context`].
    pub store_match: Vec<Vec<Matcher>>,
    /// The part of the series that is wanted (`shard_info`).
    pub shard_info: Option<ShardInfo>,
    /// Whose query it is.
    pub tenant: Option<String>,
    /// Whether only labels are wanted, as of the API's `series`.
    pub skip_chunks: bool,
    /// The most series that are wanted of each selector or texts of each look at labels; 0 for all of them.
    pub limit: i64,
    /// How many selections may wait for their stores at once (`--query.max-concurrent-select`); 0 for any number.
    pub max_concurrent_select: usize,
    /// How long a selection may take (`--query.timeout`); `None` for ever.
    pub select_timeout: Option<Duration>,
    /// The first and the last time, milliseconds since the epoch, whose samples have a part in the choice between replicas;
    /// `None` for those of the query.
    pub times: Option<(i64, i64)>,
}

impl Default for QueryOptions {
    /// Thanos' defaults, without replica labels.
    fn default() -> Self {
        QueryOptions {
            dedup: true,
            replica_labels: Vec::new(),
            deduplication: Deduplication::Penalty,
            partial_response: true,
            max_source_resolution: 0,
            store_match: Vec::new(),
            shard_info: None,
            tenant: None,
            skip_chunks: false,
            limit: 0,
            max_concurrent_select: 4,
            select_timeout: None,
            times: None,
        }
    }
}

impl QueryOptions {
    /// How replicas become one; `None` where they do not.
    pub(super) fn deduplicates(&self) -> Option<Deduplication> {
        (self.dedup && !self.replica_labels.is_empty()).then_some(self.deduplication)
    }

    /// The labels that stores leave out.
    pub(super) fn removed_labels(&self) -> Vec<String> {
        if self.deduplicates().is_some() { self.replica_labels.clone() } else { Vec::new() }
    }
}
