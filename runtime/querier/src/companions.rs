//! The endpoints that offer something beside series.

use std::fmt;
use std::sync::Arc;

use store::Channel;
use storeapi::LabelBytes;

/// What an endpoint may offer, each a service of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offer {
    /// Series (`thanos.Store`).
    Store,
    /// Rules and alerts.
    Rules,
    /// Metadata of metrics.
    Metadata,
    /// Targets of scraping.
    Targets,
    /// Exemplars.
    Exemplars,
    /// Queries (`thanos.Query`).
    Query,
    /// Statistics of the head.
    Status,
}

/// An endpoint that offers a service.
#[derive(Clone)]
pub struct Companion {
    /// Its address.
    pub address: String,
    /// What it is: `sidecar`, `query` and so on; empty where nobody knows yet.
    pub component: String,
    /// The external labels of its data.
    pub label_sets: Vec<LabelBytes>,
    /// The channel to it, or why it cannot be asked, in words for users.
    pub channel: Result<Channel, Arc<str>>,
}

impl fmt::Debug for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Companion").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Says who offers what, asked at each request.
pub trait Companions: fmt::Debug + Send + Sync {
    /// All that are configured and offer it, or may: also those that cannot be asked now.
    fn offering(&self, offer: Offer) -> Vec<Companion>;
}
