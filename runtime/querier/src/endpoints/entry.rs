//! One endpoint: what is known of it.

use std::sync::Arc;

use prom_model::{TimestampMs, quote};
use store::{About, Access, Channel, Conduct, Member, RemoteStore};

use super::EndpointStatus;
use super::info::Known;
use crate::discovery::EndpointSpec;
use crate::{Companion, Offer};

/// An endpoint that never said what it is.
const UNKNOWN: &str = "unknown-store-api";

/// One endpoint.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) spec: EndpointSpec,
    pub(super) channel: Result<Channel, Arc<str>>,
    pub(super) since: TimestampMs,
    /// Since when DNS has not named it.
    pub(super) absent: Option<TimestampMs>,
    /// What it said last.
    known: Option<Known>,
    answered: Option<TimestampMs>,
    /// Why it did not answer when it was asked last.
    failed: Option<String>,
    store: Option<RemoteStore>,
    conduct: Conduct,
}

impl Entry {
    /// An endpoint that was not asked yet.
    pub(super) fn new(spec: EndpointSpec, channel: Result<Channel, String>, now: TimestampMs) -> Self {
        if let Err(why) = &channel {
            tracing::error!(addr = %spec.address, err = %why, "skipping endpoint due to its configuration");
        }
        let store = channel.as_ref().ok().map(|channel| RemoteStore::new(channel.clone(), About::whole()));
        Entry {
            spec,
            channel: channel.map_err(Arc::from),
            since: now,
            absent: None,
            known: None,
            answered: None,
            failed: None,
            store,
            conduct: Conduct::default(),
        }
    }

    /// Takes an answer of `Info`, or why there was none.
    pub(super) fn learn(&mut self, answer: Result<Known, String>, now: TimestampMs) {
        match answer {
            Ok(known) => {
                if self.known.is_none() || self.failed.is_some() {
                    tracing::info!(
                        address = %self.spec.address,
                        component = %known.component,
                        extLset = %label_sets(&known.about),
                        "endpoint answers",
                    );
                }
                if let Some(store) = &self.store {
                    store.learn(known.about.clone());
                }
                self.known = Some(known);
                self.answered = Some(now);
                self.failed = None;
            }
            Err(why) => {
                tracing::warn!(
                    address = %self.spec.address,
                    err = %format!("getting metadata: {why}"),
                    "update of endpoint failed",
                );
                self.failed = Some(why);
                self.conduct.check_failed();
            }
        }
    }

    /// Why it cannot be asked now; `None` where it can.
    fn why_away(&self) -> Option<String> {
        if let Err(why) = &self.channel {
            return Some(why.to_string());
        }
        if self.spec.strict {
            return None;
        }
        if self.absent.is_some() {
            let name = self.spec.name.as_deref().unwrap_or_default();
            return Some(format!("the address is no longer among those of {name}"));
        }
        match (&self.known, &self.failed) {
            (Some(_), None) => None,
            (Some(_), Some(why)) => Some(format!("the endpoint is unhealthy: {why}")),
            (None, Some(why)) => Some(format!("the endpoint was never reached: {why}")),
            (None, None) => Some("the endpoint was not asked yet".to_owned()),
        }
    }

    /// Whether it answered when it was asked last and is still to be asked.
    pub(super) fn is_healthy(&self) -> bool {
        self.known.is_some() && self.failed.is_none() && self.absent.is_none()
    }

    /// What it is and which label sets it has, where it ever said.
    pub(super) fn kind(&self) -> Option<(&str, String)> {
        let known = self.known.as_ref()?;
        Some((known.component.as_str(), label_sets(&known.about)))
    }

    fn offers(&self, offer: Offer) -> bool {
        // Who never said may offer anything.
        self.known.as_ref().is_none_or(|known| known.offers.contains(&offer))
    }

    /// As a store; `None` where it is none.
    pub(super) fn member(&self) -> Option<Member> {
        if !self.offers(Offer::Store) {
            return None;
        }
        let access = match (self.why_away(), &self.store) {
            (Some(why), _) => Access::Away(why.into()),
            (None, Some(store)) => Access::Open(Arc::new(store.clone())),
            (None, None) => return None,
        };
        let about = self.known.as_ref().map_or_else(About::whole, |known| known.about.clone());
        let conduct = self.conduct.clone();
        Some(Member { address: Some(self.spec.address.clone()), about, access, conduct })
    }

    /// As somebody who offers a service; `None` where it does not.
    pub(super) fn companion(&self, offer: Offer) -> Option<Companion> {
        if !self.offers(offer) {
            return None;
        }
        let channel = match self.why_away() {
            Some(why) => Err(why.into()),
            None => self.channel.clone(),
        };
        let known = self.known.as_ref();
        Some(Companion {
            address: self.spec.address.clone(),
            component: known.map(|known| known.component.clone()).unwrap_or_default(),
            label_sets: known.map(|known| known.about.label_sets.clone()).unwrap_or_default(),
            channel,
        })
    }

    /// For `/api/v1/stores`.
    pub(super) fn status(&self) -> EndpointStatus {
        let about = self.known.as_ref().map_or_else(About::whole, |known| known.about.clone());
        EndpointStatus {
            name: self.spec.address.clone(),
            component: self.component().to_owned(),
            last_check: self.answered,
            last_error: self.failed.clone().or_else(|| self.why_away()),
            label_sets: about.label_sets.iter().map(storeapi::LabelBytes::to_labels).collect(),
            min_time: about.min_time,
            max_time: about.max_time,
        }
    }

    fn component(&self) -> &str {
        match self.known.as_ref().map_or("", |known| known.component.as_str()) {
            known @ ("sidecar" | "store" | "receive" | "rule" | "query" | "debug" | "parquet-gateway") => {
                known
            }
            _ => UNKNOWN,
        }
    }

    /// Address, external labels and component of an endpoint that answers, for metrics.
    pub(super) fn connection(&self) -> Option<(String, String, String)> {
        let (_, sets) = self.kind().filter(|_| self.is_healthy() || self.spec.strict)?;
        Some((self.spec.address.clone(), sets, self.component().to_owned()))
    }
}

/// Label sets as Go prints them, sorted.
fn label_sets(about: &About) -> String {
    let text = |set: &storeapi::LabelBytes| {
        let pairs: Vec<String> =
            set.to_labels().iter().map(|label| format!("{}={}", label.name, quote(&label.value))).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    let mut sets: Vec<String> = about.label_sets.iter().map(text).collect();
    sets.sort_unstable();
    sets.join(",")
}
