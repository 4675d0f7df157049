//! Targets of several Prometheus servers as one list.

use std::cmp::Ordering;

use store::Context;
use storeapi::thanos::targets_client::TargetsClient;
use storeapi::thanos::targets_response::Result as Answer;
use storeapi::thanos::{ActiveTarget, TargetDiscovery, TargetsRequest, TargetsResponse};

use super::gather::{Call, Told};
use super::labels::{compare, strip};
use crate::{FanOut, Gathered, Offer};

impl FanOut {
    /// All lists as they came.
    pub(super) async fn all_targets(
        &self,
        request: TargetsRequest,
        context: Context,
    ) -> Gathered<Vec<TargetDiscovery>> {
        let call = Call {
            what: "targets",
            service: "targets",
            strategy: request.partial_response_strategy,
            timeout: self.settings.response_timeout,
            context: &context,
        };
        let ask = |_: &_, channel| {
            let request = call.request(request);
            async move {
                let client = TargetsClient::new(channel).max_decoding_message_size(storeapi::MESSAGE_MAX);
                { client }.targets(request).await
            }
        };
        let read = |message: TargetsResponse| match message.result {
            Some(Answer::Targets(targets)) => Told::Data(targets),
            Some(Answer::Warning(text)) => Told::Warning(text),
            None => Told::Nothing,
        };
        call.make(self.companions.offering(Offer::Targets), ask, read).await
    }
}

/// One list, without targets that are there already but for replica labels.
pub(super) fn merge(all: Vec<TargetDiscovery>, replica_labels: &[String]) -> TargetDiscovery {
    let mut merged = TargetDiscovery::default();
    for list in all {
        merged.active_targets.extend(list.active_targets);
        merged.dropped_targets.extend(list.dropped_targets);
    }
    for target in &mut merged.active_targets {
        strip(&mut target.discovered_labels, replica_labels);
        strip(&mut target.labels, replica_labels);
    }
    for target in &mut merged.dropped_targets {
        strip(&mut target.discovered_labels, replica_labels);
    }
    merged.active_targets.sort_by(|one, two| identity(one, two).then_with(|| importance(one, two)));
    merged.active_targets.dedup_by(|later, first| identity(first, later).is_eq());
    let dropped = |one: &storeapi::thanos::DroppedTarget, two: &storeapi::thanos::DroppedTarget| {
        compare(one.discovered_labels.as_ref(), two.discovered_labels.as_ref())
    };
    merged.dropped_targets.sort_by(dropped);
    merged.dropped_targets.dedup_by(|later, first| dropped(first, later).is_eq());
    merged
}

/// The order of targets that are not the same; equal for one that several scrape.
fn identity(one: &ActiveTarget, two: &ActiveTarget) -> Ordering {
    one.scrape_url
        .cmp(&two.scrape_url)
        .then_with(|| one.scrape_pool.cmp(&two.scrape_pool))
        .then_with(|| compare(one.discovered_labels.as_ref(), two.discovered_labels.as_ref()))
        .then_with(|| compare(one.labels.as_ref(), two.labels.as_ref()))
}

/// Which one is kept: by health, else that with the later scrape.
fn importance(one: &ActiveTarget, two: &ActiveTarget) -> Ordering {
    let scraped = |target: &ActiveTarget| target.last_scrape.as_ref().map(|time| (time.seconds, time.nanos));
    health(one).cmp(&health(two)).then_with(|| scraped(two).cmp(&scraped(one)))
}

fn health(target: &ActiveTarget) -> i32 {
    target.health
}
