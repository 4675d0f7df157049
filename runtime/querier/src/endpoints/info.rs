//! What an endpoint says about itself.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use store::{About, Channel, go_text};
use storeapi::info::info_client::InfoClient;
use storeapi::info::{InfoRequest, InfoResponse};
use tonic::{Code, Status};

use crate::Offer;

/// What an endpoint is.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// `sidecar`, `store`, `receive`, `rule`, `query` and so on.
    pub(super) component: String,
    pub(super) offers: BTreeSet<Offer>,
    pub(super) about: About,
}

/// Asks once; an error is in words for users.
pub(super) async fn ask(channel: Channel, limit: Duration) -> Result<Known, String> {
    let client = InfoClient::new(channel).max_decoding_message_size(storeapi::MESSAGE_MAX);
    let answer = async { { client }.info(InfoRequest {}).await };
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => Ok(read(response.into_inner())),
        Ok(Err(status)) if status.code() == Code::Unimplemented => {
            Err("cannot obtain metadata: neither info nor store client found".to_owned())
        }
        Ok(Err(status)) => Err(with_causes(&status)),
        Err(_) => Err(go_text(&Status::deadline_exceeded("context deadline exceeded"))),
    }
}

/// The error with what lies behind it: "transport error" alone helps nobody.
fn with_causes(status: &Status) -> String {
    let mut text = go_text(status);
    let mut cause = Error::source(status);
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

fn read(info: InfoResponse) -> Known {
    let mut about = match &info.store {
        Some(store) => About::from_info(&info.label_sets, store),
        None => About {
            label_sets: About::from_info(&info.label_sets, &Default::default()).label_sets,
            ..About::whole()
        },
    };
    // An empty set says nothing.
    about.label_sets.retain(|set| !set.is_empty());
    let offers = [
        (Offer::Store, info.store.is_some()),
        (Offer::Rules, info.rules.is_some()),
        (Offer::Metadata, info.metric_metadata.is_some()),
        (Offer::Targets, info.targets.is_some()),
        (Offer::Exemplars, info.exemplars.is_some()),
        (Offer::Query, info.query.is_some()),
        (Offer::Status, info.status.is_some()),
    ];
    let offers = offers.into_iter().filter(|(_, offered)| *offered).map(|(offer, _)| offer).collect();
    Known { component: info.component_type, offers, about }
}
