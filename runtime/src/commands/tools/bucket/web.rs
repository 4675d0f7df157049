//! `tools bucket web`: the block viewer, a page and its API over the blocks of a bucket.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use block::filter::{Duplicates, IgnoreDeletionMarks, NoCompactMarks, NoDownsampleMarks};
use block::{Fetcher, FetcherConfig, FetcherMetrics};
use clap::Args;
use prom_model::PromDuration;
use prometheus_client::registry::Registry;
use server::duration::GoDuration;
use server::metrics::Metrics;
use server::probe::Probe;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Tool;
use super::viewer::{Viewer, page};
use crate::commands::stop_on_signal;
use crate::flags::HttpFlags;
use crate::flags::selector::{SelectorFlags, TimeRangeFlags};

/// Serves a page that shows the blocks of the bucket on a time axis
#[derive(Args)]
pub(super) struct Flags {
    #[command(flatten)]
    http: HttpFlags,
    /// Prefix of the page and the API; that of --web.external-prefix by default
    #[arg(long = "web.route-prefix", value_name = "PATH", default_value = "")]
    route_prefix: String,
    /// Prefix under which a reverse proxy shows the page
    #[arg(long = "web.external-prefix", value_name = "PATH", default_value = "")]
    external_prefix: String,
    /// Accepted; links are relative and need no such header
    #[arg(long = "web.prefix-header", value_name = "HEADER", default_value = "")]
    prefix_header: String,
    /// Do not allow other sites to read the API
    #[arg(long = "web.disable-cors")]
    disable_cors: bool,
    /// How often the metadata is read
    #[arg(long = "refresh", value_name = "DURATION", default_value = "30m")]
    refresh: GoDuration,
    /// Time to read the metadata
    #[arg(long = "timeout", value_name = "DURATION", default_value = "5m")]
    timeout: GoDuration,
    /// External label whose value is the title of a group
    #[arg(long = "label", value_name = "NAME", default_value = "")]
    label: String,
    /// Refuse to mark blocks through the page and the API
    #[arg(long = "disable-admin-operations")]
    disable_admin_operations: bool,
    #[command(flatten)]
    time: TimeRangeFlags,
    #[command(flatten)]
    selector: SelectorFlags,
}

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn run(flags: Flags, tool: Tool, mut registry: Registry) -> anyhow::Result<()> {
    let (refresh, timeout) = (flags.refresh.0, flags.timeout.0);
    if refresh < 5 * MINUTE {
        warn!(msg = "Refreshing more often than 5m could lead to large data transfers");
    }
    if timeout < MINUTE {
        warn!(msg = "Timeout less than 1m could lead to frequent failures");
    }
    if refresh < timeout * 2 {
        warn!(msg = "Refresh interval should be at least 2 times the timeout");
    }
    if !flags.prefix_header.is_empty() {
        info!(
            msg = "--web.prefix-header has no effect: all links are relative",
            header = flags.prefix_header
        );
    }
    let trimmed = |prefix: &str| prefix.trim_matches('/').to_owned();
    let external = trimmed(&flags.external_prefix);
    let route = if flags.route_prefix.is_empty() { external.clone() } else { trimmed(&flags.route_prefix) };
    if route != external {
        warn!(
            msg = "different values for --web.route-prefix and --web.external-prefix detected, web UI may not work without a reverse-proxy."
        );
    }
    let metrics = FetcherMetrics::register(&mut registry);
    let filters: Vec<Box<dyn block::filter::Filter>> = vec![
        Box::new(flags.time.filter()),
        Box::new(flags.selector.filter()?),
        Box::new(Duplicates),
        // They only collect marks: nothing is as old as this.
        Box::new(IgnoreDeletionMarks(PromDuration::from_millis(i64::MAX))),
        Box::new(NoCompactMarks),
        Box::new(NoDownsampleMarks),
    ];
    let config = FetcherConfig::default();
    let fetcher = Fetcher::new(Arc::clone(&tool.bucket), Arc::new(tool.clock), config, filters, metrics);
    let viewer = Viewer::new(tool.bucket, flags.label, !flags.disable_admin_operations);
    let server = flags.http.listen().await?;
    info!(msg = "listening for requests", service = "http/server", address = %server.address());
    let (probe, stop) = (Probe::new(), CancellationToken::new());
    let signals = stop_on_signal(stop.clone())?;
    let inner = viewer.routes(!flags.disable_cors);
    let routes = if route.is_empty() {
        inner
    } else {
        let home = format!("/{route}/");
        let to = home.clone();
        Router::new()
            .route("/", get(move || async move { Redirect::to(&to) }))
            .nest(home.trim_end_matches('/'), inner)
            .route(&home, get(page::page))
    };
    let grace = flags.http.grace();
    probe.set_ready(true);
    let serving = tokio::spawn(server.run(routes, Metrics::new(registry), probe, stop.clone(), grace));
    while !stop.is_cancelled() {
        // After a failure the next look comes soon.
        let pause = if look(&fetcher, &viewer, timeout).await { refresh } else { refresh.min(MINUTE) };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    serving.await.context("HTTP server")??;
    signals.abort();
    Ok(())
}

/// Reads the bucket; `false` when that failed and what was seen before is still shown.
async fn look(fetcher: &Fetcher, viewer: &Viewer, timeout: Duration) -> bool {
    let seen = match tokio::time::timeout(timeout, fetcher.fetch()).await {
        Ok(Ok(view)) => Ok(view),
        Ok(Err(failure)) => Err(format!("{:#}", anyhow::Error::from(failure))),
        Err(_) => Err(format!("not read within --timeout={timeout:?}")),
    };
    let good = seen.is_ok();
    viewer.set_global(seen.as_ref().map_err(Clone::clone));
    good
}
