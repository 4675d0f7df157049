//! Reads the metadata of the blocks, and says at the end which could not be read.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use block::filter::Filter;
use block::{Fetcher, FetcherConfig, FetcherMetrics, Meta, View};
use prometheus_client::registry::Registry;

use super::Tool;

/// The blocks of a bucket, sorted by ID.
pub(super) struct Fetched {
    /// Those that the filters left.
    pub(super) metas: Vec<Arc<Meta>>,
    /// All that is known.
    pub(super) view: View,
}

/// Looks through the bucket once; filters are applied in this order.
pub(super) async fn fetch(
    tool: &Tool,
    filters: Vec<Box<dyn Filter>>,
    timeout: Duration,
) -> anyhow::Result<Fetched> {
    let metrics = FetcherMetrics::register(&mut Registry::default());
    let config = FetcherConfig { concurrency: tool.concurrency, ..FetcherConfig::default() };
    let fetcher = Fetcher::new(Arc::clone(&tool.bucket), Arc::new(tool.clock), config, filters, metrics);
    let view = tokio::time::timeout(timeout, fetcher.fetch())
        .await
        .with_context(|| format!("the metadata was not read within --timeout={timeout:?}"))??;
    Ok(Fetched { metas: view.metas.values().cloned().collect(), view })
}

impl Fetched {
    /// An error that counts the blocks whose metadata or marks could not be read; each was named in the log.
    pub(super) fn complain(&self) -> anyhow::Result<()> {
        let mut ids: Vec<String> = self.view.errors.iter().map(|(id, _)| id.to_string()).collect();
        ids.dedup();
        match ids.len() {
            0 => Ok(()),
            1 => bail!(
                "block {} is not listed or not judged right: its metadata or a mark is unreadable; see `tools bucket verify`",
                ids.concat()
            ),
            count => bail!(
                "{count} blocks are not listed or not judged right, their metadata or marks are unreadable: {}; see `tools bucket verify`",
                ids.join(", ")
            ),
        }
    }
}
