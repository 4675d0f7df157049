//! Many stores as one.
//!
//! A request goes to the stores that may have something of it (by time, external labels, address), all at once; their answers,
//! which are sorted, are merged. A store that fails, hangs, or is away though it is configured becomes a warning or the end of the
//! call, as the request wishes, but is never left out in silence.

mod chunks;
mod inflow;
mod labels;
mod member;
mod merge;
mod message;
mod selection;
mod selector;
mod tree;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use storeapi::{LabelBytes, SeriesFrame};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::{About, Context, Frames, Store, partial_response_disabled};

pub use member::{Access, Conduct, Member, Members};
pub use message::go_text;
pub use selection::may_match;
pub use selector::TsdbSelector;

use inflow::Reading;
use merge::{Head, Merge, Rules};
use message::Failure;
use prom_model::Matcher;
use selection::{Selected, Wanted, own_matchers, select};

/// So many series are asked for in a message: what Thanos' querier asks for.
const RESPONSE_BATCH_SIZE: i64 = 64;

/// How a proxy behaves.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// Labels of everything behind the proxy (`--selector-label`): told to others, and taken out of requests.
    pub selector_labels: LabelBytes,
    /// Which label sets are asked at all.
    pub selector: TsdbSelector,
    /// How long a store may send nothing; `None`: as long as it likes.
    pub response_timeout: Option<Duration>,
}

/// `thanos_proxy_store_empty_stream_responses_total`; clones share it.
#[derive(Debug, Clone, Default)]
pub struct ProxyMetrics {
    empty: Counter,
}

impl ProxyMetrics {
    /// Registers it.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = ProxyMetrics::default();
        registry.register(
            "thanos_proxy_store_empty_stream_responses",
            "Total number of empty responses received",
            metrics.empty.clone(),
        );
        metrics
    }
}

/// One store made of many.
#[derive(Debug, Clone)]
pub struct ProxyStore {
    members: Arc<dyn Members>,
    settings: Arc<ProxySettings>,
    metrics: ProxyMetrics,
}

impl ProxyStore {
    /// A proxy for these stores.
    pub fn new(members: Arc<dyn Members>, settings: ProxySettings) -> Self {
        ProxyStore { members, settings: Arc::new(settings), metrics: ProxyMetrics::default() }
    }

    /// The same proxy, which counts what it sees.
    #[must_use]
    pub fn with_metrics(self, metrics: ProxyMetrics) -> Self {
        ProxyStore { metrics, ..self }
    }

    /// The stores whose label sets are selected.
    fn selected_members(&self) -> Vec<Member> {
        let is_selected = |member: &Member| self.settings.selector.select(&member.about.label_sets).is_some();
        self.members.members().into_iter().filter(is_selected).collect()
    }
}

/// The request as it goes to a store.
fn pass_on(request: &SeriesRequest, own: &[Matcher], selected: &mut Selected) -> SeriesRequest {
    let mut matchers = storeapi::to_wire(own);
    matchers.append(&mut selected.extra);
    SeriesRequest {
        matchers,
        response_batch_size: request.response_batch_size.max(RESPONSE_BATCH_SIZE),
        // They name blocks of one store.
        hints: None,
        ..request.clone()
    }
}

#[async_trait]
impl Store for ProxyStore {
    async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status> {
        let Some(own) = own_matchers(&request.matchers, &self.settings.selector_labels)? else {
            return Ok(stream::empty().boxed());
        };
        if own.is_empty() {
            return Err(Status::invalid_argument("no matchers specified (excluding selector labels)"));
        }
        let abort =
            partial_response_disabled(request.partial_response_disabled, request.partial_response_strategy);
        let members = self.members.members();
        if members.is_empty() && abort {
            return Err(Status::new(Code::Unknown, "No StoreAPIs available"));
        }
        let wanted = Wanted {
            min_time: request.min_time,
            max_time: request.max_time,
            matchers: &own,
            addresses: &context.store_match,
        };
        let mut asides = VecDeque::new();
        let mut heads = Vec::new();
        let mut tasks = JoinSet::new();
        let cancel = context.cancel.child_token();
        for mut selected in select(members, &self.settings.selector, &wanted) {
            if let Access::Away(why) = &selected.member.access {
                let failure = Failure::away(&selected.member, why);
                if abort {
                    return Err(failure.into_status());
                }
                asides.push_back(SeriesFrame::Warning(failure.into_warning()));
                continue;
            }
            let reading = Reading {
                request: pass_on(&request, &own, &mut selected),
                silence: self.settings.response_timeout,
                empty: self.metrics.empty.clone(),
                context: Context { cancel: cancel.clone(), ..context.clone() },
            };
            let events = inflow::open(selected.member.clone(), reading, &mut tasks);
            heads.push(Head::new(selected.member, events));
        }
        let rules = Rules { abort, limit: u64::try_from(request.limit).unwrap_or(0) };
        Ok(Merge::new(heads, asides, rules, cancel, tasks).into_frames())
    }

    async fn label_names(
        &self,
        request: LabelNamesRequest,
        context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        self.names(request, context).await
    }

    async fn label_values(
        &self,
        request: LabelValuesRequest,
        context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        self.values(request, context).await
    }

    /// What all selected stores say together, with the selector labels on each label set.
    fn about(&self) -> About {
        let members = self.selected_members();
        let with_selector = |set: &LabelBytes| set.with(self.settings.selector_labels.iter());
        let mut label_sets: Vec<LabelBytes> = members
            .iter()
            .flat_map(|member| self.settings.selector.select(&member.about.label_sets).unwrap_or_default())
            .map(with_selector)
            .collect();
        label_sets.sort_unstable();
        label_sets.dedup();
        if label_sets.is_empty() && !self.settings.selector_labels.is_empty() {
            label_sets.push(self.settings.selector_labels.clone());
        }
        let whole = About::whole();
        About {
            label_sets,
            min_time: members.iter().map(|member| member.about.min_time).min().unwrap_or(whole.min_time),
            max_time: members.iter().map(|member| member.about.max_time).max().unwrap_or(whole.max_time),
            supports_sharding: true,
            supports_without_replica_labels: true,
            extents: members.into_iter().flat_map(|member| member.about.extents).collect(),
        }
    }
}
