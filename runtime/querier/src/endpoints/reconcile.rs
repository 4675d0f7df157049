//! Which endpoints come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use prom_model::TimestampMs;
use store::Channel;

use super::entry::Entry;
use super::{Connect, EndpointSettings, EndpointStatus, State};
use crate::discovery::{Configured, Resolution};

/// A configured name that stands for no endpoint.
#[derive(Debug, Clone)]
pub(super) struct Missing {
    since: TimestampMs,
    resolution: Resolution,
    name: String,
    /// Whether it is told to anybody.
    pub(super) is_reported: bool,
}

impl Missing {
    /// In words for users.
    pub(super) fn why(&self) -> String {
        match &self.resolution {
            Resolution::Failing(why) => format!("{} cannot be resolved: {why}", self.name),
            Resolution::Nothing | Resolution::Found => format!("{} has no address in DNS", self.name),
        }
    }

    pub(super) fn status(&self, name: &str) -> EndpointStatus {
        EndpointStatus {
            name: name.to_owned(),
            component: "unknown-store-api".to_owned(),
            last_check: None,
            last_error: Some(self.why()),
            label_sets: Vec::new(),
            min_time: i64::MIN,
            max_time: i64::MAX,
        }
    }
}

/// Brings the endpoints in line with what is configured. Returns those to ask.
pub(super) fn reconcile(
    state: &mut State,
    configured: &Configured,
    connect: &dyn Connect,
    settings: &EndpointSettings,
    now: TimestampMs,
) -> Vec<(String, Channel)> {
    let listed: BTreeSet<&str> = configured.endpoints.iter().map(|spec| spec.address.as_str()).collect();
    state.entries.retain(|address, entry| {
        if listed.contains(address.as_str()) {
            entry.absent = None;
            return true;
        }
        // DNS may be wrong for a while, a configuration is meant.
        let by_dns = entry.spec.name.as_ref().is_some_and(|name| configured.names.contains_key(name));
        if by_dns {
            entry.absent.get_or_insert(now);
        } else {
            tracing::info!(address = %address, "endpoint was taken out of the configuration");
        }
        by_dns
    });
    for spec in &configured.endpoints {
        let known = state.entries.get(&spec.address);
        if known.is_none_or(|entry| entry.spec.client != spec.client || entry.channel.is_err()) {
            let entry = Entry::new(spec.clone(), connect.connect(spec), now);
            state.entries.insert(spec.address.clone(), entry);
        } else if let Some(entry) = state.entries.get_mut(&spec.address) {
            entry.spec = spec.clone();
        }
    }
    find_missing(state, configured, settings.unhealthy_timeout, now);
    state
        .entries
        .iter()
        .filter(|(_, entry)| entry.absent.is_none())
        .filter_map(|(address, entry)| Some((address.clone(), entry.channel.clone().ok()?)))
        .collect()
}

/// Names that resolve to nothing. They are reported unless endpoints that are remembered stand for them, or DNS has said that
/// there is nothing for so long that it is meant; that DNS does not answer is never meant.
fn find_missing(state: &mut State, configured: &Configured, unhealthy: Duration, now: TimestampMs) {
    let represented: BTreeSet<&String> =
        state.entries.values().filter_map(|entry| entry.spec.name.as_ref()).collect();
    let before = std::mem::take(&mut state.missing);
    for (name, resolution) in &configured.names {
        if *resolution == Resolution::Found {
            continue;
        }
        let since = before.get(name).map_or(now, |known| known.since);
        let is_meant = *resolution == Resolution::Nothing && passed(since, now) >= unhealthy;
        let is_reported = !is_meant && !represented.contains(name);
        let missing = Missing { since, resolution: resolution.clone(), name: name.clone(), is_reported };
        state.missing.insert(name.clone(), missing);
    }
}

/// Forgets endpoints that have been absent from DNS for long enough, or that others have taken the place of.
pub(super) fn forget(state: &mut State, unhealthy: Duration, now: TimestampMs) {
    let mut successors: Vec<(String, (String, String), TimestampMs)> = state
        .entries
        .iter()
        .filter(|(_, entry)| entry.is_healthy())
        .filter_map(|(address, entry)| {
            let (component, sets) = entry.kind()?;
            Some((address.clone(), (component.to_owned(), sets), entry.since))
        })
        .collect();
    state.entries.retain(|address, entry| {
        let Some(absent) = entry.absent else { return true };
        if passed(absent, now) >= unhealthy {
            tracing::info!(address = %address, "removing endpoint because it's unhealthy or does not exist");
            return false;
        }
        let Some((component, sets)) = entry.kind().map(|(component, sets)| (component.to_owned(), sets))
        else {
            // Nobody ever knew what it was, and DNS does not name it any more.
            return false;
        };
        let kind = (component, sets);
        // A rollout may start the new one before the old one goes.
        let overlaps = |since: TimestampMs| passed(since, absent) <= unhealthy && since > entry.since;
        let successor = successors.iter().position(|(_, its, since)| *its == kind && overlaps(*since));
        match successor {
            Some(at) => {
                let (by, ..) = successors.swap_remove(at);
                tracing::info!(address = %address, by = %by, "endpoint was replaced");
                false
            }
            None => true,
        }
    });
}

/// From one time to another; nothing where the clock went back.
fn passed(from: TimestampMs, to: TimestampMs) -> Duration {
    let millis = to.as_millis().saturating_sub(from.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
