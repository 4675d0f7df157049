//! The endpoints of a querier: who is there, what each of them is and whether it answers.
//!
//! Each is asked `Info` again and again. One that does not answer, that DNS does not name any more, or that was never reached is
//! still here: it is told to whoever makes an answer that it might have been part of. Only what was taken out of the
//! configuration, was replaced, or has been absent from DNS for `--store.unhealthy-timeout` is forgotten.

mod connect;
mod entry;
mod group;
mod info;
mod metrics;
mod reconcile;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures::future::join_all;
use prom_model::{Clock, Labels, TimestampMs};
use store::{About, Channel, Member, Members};
use tokio_util::sync::CancellationToken;

pub use connect::GrpcConnect;
pub use metrics::{ConnectionLabel, ConnectionMetrics, UnknownLabel};

use crate::discovery::{Discover, EndpointSpec};
use crate::{Companion, Companions, Offer};
use entry::Entry;
use reconcile::{Missing, reconcile};

/// Makes channels.
pub trait Connect: fmt::Debug + Send + Sync {
    /// A channel to an endpoint, without a call; an error says why there cannot be one.
    fn connect(&self, spec: &EndpointSpec) -> Result<Channel, String>;
}

/// How endpoints are watched.
#[derive(Debug, Clone)]
pub struct EndpointSettings {
    /// How long `Info` may take, and how often it is asked (`--endpoint.info-timeout`).
    pub info_timeout: Duration,
    /// How long an endpoint may be absent from DNS before it counts as removed on purpose (`--store.unhealthy-timeout`).
    pub unhealthy_timeout: Duration,
}

impl Default for EndpointSettings {
    fn default() -> Self {
        let (info_timeout, unhealthy_timeout) = (Duration::from_secs(5), Duration::from_secs(300));
        EndpointSettings { info_timeout, unhealthy_timeout }
    }
}

/// What `/api/v1/stores` tells of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointStatus {
    /// Its address.
    pub name: String,
    /// What it is: `sidecar`, `store` and so on; `unknown-store-api` where it never said.
    pub component: String,
    /// When it answered last.
    pub last_check: Option<TimestampMs>,
    /// Why it did not answer when it was asked last, or why it is not asked.
    pub last_error: Option<String>,
    /// The external labels of its data.
    pub label_sets: Vec<Labels>,
    /// The earliest time of which it may have samples, milliseconds since the epoch.
    pub min_time: i64,
    /// The latest.
    pub max_time: i64,
}

/// The endpoints; see the module.
#[derive(Debug)]
pub struct EndpointSet {
    discover: Arc<dyn Discover>,
    connect: Arc<dyn Connect>,
    clock: Arc<dyn Clock>,
    settings: EndpointSettings,
    metrics: ConnectionMetrics,
    state: RwLock<State>,
    updated: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    /// By address.
    entries: BTreeMap<String, Entry>,
    /// By name: names that resolve to nothing.
    missing: BTreeMap<String, Missing>,
}

impl State {
    fn reported(&self) -> impl Iterator<Item = (&String, &Missing)> {
        self.missing.iter().filter(|(_, missing)| missing.is_reported)
    }
}

impl EndpointSet {
    /// Watches what `discover` finds. Nothing is asked before the first [`EndpointSet::update`].
    pub fn new(
        discover: Arc<dyn Discover>,
        connect: Arc<dyn Connect>,
        clock: Arc<dyn Clock>,
        settings: EndpointSettings,
        metrics: ConnectionMetrics,
    ) -> Self {
        EndpointSet {
            discover,
            connect,
            clock,
            settings,
            metrics,
            state: RwLock::default(),
            updated: CancellationToken::new(),
        }
    }

    /// Asks all endpoints, each `info_timeout` again, until cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.settings.info_timeout);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.update() => {}
            }
        }
    }

    /// Waits for the first round: before it, nobody knows which endpoints there are, and the querier is not ready.
    pub async fn first_update(&self) {
        self.updated.cancelled().await;
    }

    /// Asks all endpoints once.
    pub async fn update(&self) {
        let configured = self.discover.configured();
        let asked = reconcile(&mut self.write(), &configured, &*self.connect, &self.settings, self.now());
        let answers = asked.into_iter().map(|(address, channel)| async move {
            (address, info::ask(channel, self.settings.info_timeout).await)
        });
        let answers = join_all(answers).await;
        let now = self.now();
        let mut state = self.write();
        for (address, answer) in answers {
            if let Some(entry) = state.entries.get_mut(&address) {
                entry.learn(answer, now);
            }
        }
        // Who is new may stand for somebody who is gone.
        reconcile::forget(&mut state, self.settings.unhealthy_timeout, now);
        self.metrics.show(state.entries.values().filter_map(Entry::connection));
        drop(state);
        self.updated.cancel();
    }

    /// What is known of each, in the order of their addresses.
    pub fn statuses(&self) -> Vec<EndpointStatus> {
        let state = self.read();
        let missing = state.reported().map(|(name, missing)| missing.status(name));
        state.entries.values().map(Entry::status).chain(missing).collect()
    }

    fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members for EndpointSet {
    fn members(&self) -> Vec<Member> {
        let state = self.read();
        let missing =
            state.reported().map(|(name, missing)| Member::away(name.clone(), About::whole(), missing.why()));
        state.entries.values().filter_map(Entry::member).chain(missing).collect()
    }
}

impl Companions for EndpointSet {
    fn offering(&self, offer: Offer) -> Vec<Companion> {
        let state = self.read();
        let missing = state.reported().map(|(name, missing)| Companion {
            address: name.clone(),
            component: String::new(),
            label_sets: Vec::new(),
            channel: Err(missing.why().into()),
        });
        state.entries.values().filter_map(|entry| entry.companion(offer)).chain(missing).collect()
    }
}
