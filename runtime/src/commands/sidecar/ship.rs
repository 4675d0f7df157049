//! The shipper inside the sidecar: its flags, and its loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use block::shipper::{DEFAULT_STATE_FILE, Shipper, ShipperConfig, ShipperMetrics};
use block::{HashFunc, Source};
use clap::Args;
use futures::future::BoxFuture;
use objstore::BucketRef;
use prom_model::Clock;
use prometheus_client::registry::Registry;
use store::prometheus::Peer;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use tsdb::fs::{Fs, RealFs};

/// Between two looks at the data directory.
const INTERVAL: Duration = Duration::from_secs(30);
/// Between two looks for external labels at the start.
const LABELS_INTERVAL: Duration = Duration::from_secs(2);

/// `--shipper.*`
#[derive(Debug, Args)]
pub(super) struct ShipperFlags {
    /// Also ship blocks that Prometheus has compacted; works only while it compacts no more
    #[arg(long = "shipper.upload-compacted", id = "shipper.upload-compacted")]
    upload_compacted: bool,
    /// Name of the file in the data directory that says which blocks are in the bucket
    #[arg(long = "shipper.meta-file-name", id = "shipper.meta-file-name", value_name = "NAME", default_value = DEFAULT_STATE_FILE)]
    meta_file_name: String,
    /// Files of a block that are sent at the same time; 0: one after another
    #[arg(
        long = "shipper.upload-concurrency",
        id = "shipper.upload-concurrency",
        value_name = "NUMBER",
        default_value = "0"
    )]
    upload_concurrency: usize,
    /// Do not ask Prometheus for equal minimal and maximal block durations
    #[arg(long = "shipper.ignore-unequal-block-size", id = "shipper.ignore-unequal-block-size", hide = true)]
    pub(super) ignore_unequal_block_size: bool,
    /// Go on with newer blocks when an older one cannot be shipped
    #[arg(
        long = "shipper.allow-out-of-order-uploads",
        id = "shipper.allow-out-of-order-uploads",
        hide = true
    )]
    allow_out_of_order_uploads: bool,
    /// Go on when a block is damaged, which this shipper always does
    #[arg(long = "shipper.skip-corrupted-blocks", id = "shipper.skip-corrupted-blocks", hide = true)]
    skip_corrupted_blocks: bool,
    /// Hash function whose sums go into meta.json
    #[arg(long = "hash-func", id = "hash-func", value_name = "NAME", default_value = "", value_parser = ["", "SHA256"])]
    hash_func: String,
}

impl ShipperFlags {
    /// Where the state is kept.
    pub(super) fn state_file(&self, data: &Path) -> PathBuf {
        data.join(&self.meta_file_name)
    }

    /// The shipper of a data directory.
    pub(super) fn shipper(
        &self,
        bucket: BucketRef,
        data: PathBuf,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Shipper {
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        if !fs.stat(&data.join("wal")).is_ok_and(|wal| wal.is_dir) {
            error!(
                err = "WAL dir is not accessible. Is this dir a TSDB directory? If yes it is shared with TSDB?",
                dir = %data.display()
            );
        }
        let config = ShipperConfig {
            state_file: self.meta_file_name.clone(),
            upload_compacted: self.upload_compacted,
            allow_out_of_order: self.allow_out_of_order_uploads,
            concurrency: self.upload_concurrency.max(1),
            hash_func: if self.hash_func.is_empty() { HashFunc::None } else { HashFunc::Sha256 },
            ..ShipperConfig::new(data, Source::Sidecar)
        };
        Shipper::new(bucket, fs, clock, config, ShipperMetrics::register(registry))
    }
}

/// Waits until there are external labels.
async fn known(peer: Peer) {
    while peer.labels().is_empty() {
        tokio::time::sleep(LABELS_INTERVAL).await;
    }
}

/// Ships what is there, again and again, as soon as it is known whose blocks these are.
pub(super) async fn run(
    shipper: Shipper,
    peer: Peer,
    ready_timeout: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let known = known(peer.clone());
    tokio::select! {
        known = tokio::time::timeout(ready_timeout, known) => if known.is_err() {
            bail!("aborting as no external labels found after waiting {ready_timeout:?}");
        },
        () = stop.clone().cancelled_owned() => return Ok(()),
    }
    loop {
        let labels = peer.labels();
        let round: BoxFuture<'_, _> = Box::pin(shipper.sync(&labels));
        tokio::select! {
            round = round => match round {
                Ok(shipped) => for block in &shipped.uploaded {
                    info!(msg = "upload new block", id = %block);
                },
                Err(failure) => warn!(err = %format_args!("{:#}", anyhow::Error::from(failure))),
            },
            // An upload that is cut off is taken up by the next process: nothing of it is visible yet.
            () = stop.clone().cancelled_owned() => return Ok(()),
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = stop.clone().cancelled_owned() => return Ok(()),
        }
    }
}
