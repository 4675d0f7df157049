//! `tools bucket upload-blocks`: puts the blocks of a folder into the bucket, under external labels.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use block::shipper::{Shipper, ShipperConfig, ShipperMetrics};
use block::{BlockId, Source, layout};
use clap::Args;
use prom_model::Labels;
use prometheus_client::registry::Registry;
use tracing::{error, info};
use tsdb::fs::{Fs, RealFs};

use super::Tool;
use crate::flags::label_pair::LabelPair;

/// Uploads the blocks of a folder to the bucket
#[derive(Args)]
pub(super) struct Flags {
    /// Folder with the blocks
    #[arg(long = "path", value_name = "DIR", default_value = "./data")]
    path: PathBuf,
    /// External label that the blocks get (repeated)
    #[arg(long = "label", value_name = "NAME=\"VALUE\"")]
    labels: Vec<LabelPair>,
    /// Also upload blocks that were compacted
    #[arg(long = "shipper.upload-compacted")]
    upload_compacted: bool,
    /// Files that are written at the same time
    #[arg(long = "shipper.upload-concurrency", value_name = "NUMBER", default_value = "5")]
    concurrency: usize,
    /// Only say which blocks are not in the bucket yet (not in Thanos)
    #[arg(long = "dry-run")]
    dry_run: bool,
}

pub(super) async fn run(flags: Flags, tool: &Tool) -> anyhow::Result<()> {
    if flags.labels.is_empty() {
        bail!(
            "no external labels: give at least one --label that tells whose blocks these are, as --label='cluster=\"eu\"'"
        );
    }
    let mut labels = Labels::default();
    for label in &flags.labels {
        if labels.get(&label.name).is_some_and(|known| *known != label.value) {
            bail!("--label={} is given twice with different values", label.name);
        }
        labels.set(label.name.clone(), label.value.clone());
    }
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let entries =
        fs.list(&flags.path).with_context(|| format!("--path={} cannot be read", flags.path.display()))?;
    if flags.dry_run {
        for id in entries.iter().filter_map(|entry| entry.name.parse::<BlockId>().ok()) {
            match tool.bucket.exists(&layout::object(id, layout::META)).await? {
                true => info!(msg = "the bucket has the block", block = %id),
                false => info!(msg = "dry run: would look at the block and upload it", block = %id),
            }
        }
        return Ok(());
    }
    let config = ShipperConfig {
        upload_compacted: flags.upload_compacted,
        concurrency: flags.concurrency,
        ..ShipperConfig::new(flags.path, Source::BucketUpload)
    };
    let metrics = ShipperMetrics::register(&mut Registry::default());
    let shipper = Shipper::new(Arc::clone(&tool.bucket), fs, Arc::new(tool.clock), config, metrics);
    let shipped = shipper.sync(&labels).await.context("blocks cannot be uploaded")?;
    for id in &shipped.uploaded {
        info!(msg = "uploaded", block = %id);
    }
    info!(msg = "synced blocks", uploaded = shipped.uploaded.len());
    let failed = shipped.failed.len();
    for (id, failure) in shipped.failed {
        error!(msg = "block not uploaded", block = %id, err = %format_args!("{:#}", anyhow::Error::from(failure)));
    }
    match failed {
        0 => Ok(()),
        failed => bail!("{failed} blocks could not be uploaded"),
    }
}
