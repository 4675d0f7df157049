//! What the block viewer of a compactor shows: everything in the bucket, and what the compactor works with.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::compact::cycle::Compactor;
use block::filter::{Filter, IgnoreDeletionMarks, NoCompactMarks, NoDownsampleMarks};
use block::{Discovery, Fetcher, FetcherConfig, FetcherMetrics};
use objstore::BucketRef;
use prom_model::{PromDuration, SystemClock};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::flags::Flags;
use crate::commands::tools::bucket::viewer::Viewer;

/// Keeps the page up to date.
pub(super) struct Shown {
    viewer: Viewer,
    fetcher: Fetcher,
    compactor: Arc<Compactor>,
    interval: Duration,
    timeout: Duration,
}

impl Shown {
    pub(super) fn new(flags: &Flags, bucket: &BucketRef, viewer: Viewer, compactor: Arc<Compactor>) -> Self {
        // Nothing is left out: they only collect marks, as nothing is as old as this.
        let filters: Vec<Box<dyn Filter>> = vec![
            Box::new(IgnoreDeletionMarks(PromDuration::from_millis(i64::MAX))),
            Box::new(NoCompactMarks),
            Box::new(NoDownsampleMarks),
        ];
        let discovery = if flags.work.blocks.discovery == "recursive" {
            Discovery::Recursive
        } else {
            Discovery::Concurrent
        };
        let config = FetcherConfig {
            discovery,
            concurrency: flags.work.blocks.meta_concurrency.max(1),
            ..FetcherConfig::default()
        };
        // The metrics of blocks are those of what is worked with.
        let metrics = FetcherMetrics::register(&mut Registry::default());
        let fetcher = Fetcher::new(Arc::clone(bucket), Arc::new(SystemClock), config, filters, metrics);
        Shown { viewer, fetcher, compactor, interval: flags.view.interval.0, timeout: flags.view.timeout.0 }
    }

    /// Looks again and again.
    pub(super) async fn keep(self, stop: CancellationToken) -> Result<(), Infallible> {
        let pause = self.interval.max(Duration::from_millis(10));
        loop {
            let seen = match tokio::time::timeout(self.timeout, self.fetcher.fetch()).await {
                Ok(Ok(view)) => Ok(view),
                Ok(Err(failure)) => Err(format!("{:#}", anyhow::Error::from(failure))),
                Err(_) => Err(format!("not read within {:?}", self.timeout)),
            };
            self.viewer.set_global(seen.as_ref().map_err(Clone::clone));
            if let Some(view) = self.compactor.last_view().await {
                self.viewer.set_loaded(&view);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}
