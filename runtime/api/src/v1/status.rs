//! What the server says about itself, and what a server that only reads has none of: targets, rules, alerts, metadata.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::{Api, success};
use crate::json::{push_text_for_html, push_whole};
use crate::time::to_rfc3339;

/// What the server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its version.
    pub version: String,
    /// When it was started, milliseconds since the epoch.
    pub start_time: i64,
    /// The folder in which it was started.
    pub working_directory: String,
    /// The name of the machine.
    pub hostname: String,
    /// How many threads evaluate queries.
    pub threads: usize,
    /// All flags with their values.
    pub flags: BTreeMap<String, String>,
}

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/status/buildinfo", get(build_info))
        .route("/status/runtimeinfo", get(runtime_info))
        .route("/status/flags", get(flags))
        .route("/status/config", constant(b"{\"yaml\":\"\"}"))
        .route("/metadata", constant(b"{}"))
        .route("/rules", constant(b"{\"groups\":[]}"))
        .route("/alerts", constant(b"{\"alerts\":[]}"))
        .route(
            "/targets",
            constant(b"{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}"),
        )
        .route("/targets/metadata", constant(b"[]"))
        .route("/scrape_pools", constant(b"{\"scrapePools\":[]}"))
        .route("/alertmanagers", constant(b"{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}"))
        .route("/notifications", constant(b"[]"))
}

fn constant(data: &'static [u8]) -> axum::routing::MethodRouter<Api> {
    get(move || async move { success(data, &[]) })
}

/// Writes an object of strings.
fn push_object<'t>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = (&'t str, &'t str)>) {
    out.push(b'{');
    for (at, (name, value)) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text_for_html(out, name);
        out.push(b':');
        push_text_for_html(out, value);
    }
    out.push(b'}');
}

async fn build_info(State(api): State<Api>) -> Response {
    let mut data = Vec::new();
    let nothing = ["revision", "branch", "buildUser", "buildDate", "goVersion"].map(|name| (name, ""));
    push_object(&mut data, [("version", api.identity.version.as_str())].into_iter().chain(nothing));
    success(&data, &[])
}

async fn runtime_info(State(api): State<Api>) -> Response {
    let identity = &api.identity;
    let started = to_rfc3339(identity.start_time);
    let now = to_rfc3339(api.evaluator.clock().now().as_millis());
    let mut data = Vec::new();
    push_object(
        &mut data,
        [
            ("startTime", started.as_str()),
            ("CWD", &identity.working_directory),
            ("hostname", &identity.hostname),
            ("serverTime", &now),
        ],
    );
    data.pop();
    data.extend_from_slice(b",\"reloadConfigSuccess\":true,\"lastConfigTime\":");
    push_text_for_html(&mut data, &started);
    data.extend_from_slice(b",\"corruptionCount\":0,\"goroutineCount\":0,\"GOMAXPROCS\":");
    push_whole(&mut data, identity.threads as i64);
    data.extend_from_slice(b",\"GOMEMLIMIT\":0,\"GOGC\":\"\",\"GODEBUG\":\"\",\"storageRetention\":\"\"}");
    success(&data, &[])
}

async fn flags(State(api): State<Api>) -> Response {
    let mut data = Vec::new();
    push_object(&mut data, api.identity.flags.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    success(&data, &[])
}
