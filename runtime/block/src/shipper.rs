//! Ships blocks from a Prometheus' disk to a bucket: finds those that are not there yet, links their files aside, so that
//! Prometheus may delete them meanwhile, and uploads them with the external labels.
//!
//! A block that cannot be shipped does not stop the others; a bucket that fails ends the round, so that blocks arrive in order.

mod metrics;
mod overlap;
mod state;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use error_kind::{ErrorKind, Kind, kind_of_io};
use objstore::{BucketError, BucketRef};
use prom_model::{Clock, Labels};
use tsdb::BlockId;
use tsdb::fs::Fs;

pub use metrics::ShipperMetrics;
pub use state::{DEFAULT_STATE_FILE, ShipperState, ShipperStateError};

use crate::blocking::on_disk;
use crate::meta::{HashFunc, Meta, MetaError, Source};
use crate::upload::{Upload, UploadError, Uploaded, read_local_meta};
use crate::{layout, local};

/// Where files are linked to before they are uploaded, below the data directory.
const UPLOAD_FOLDER: &str = "thanos/upload";

/// What is shipped, and how.
#[derive(Debug, Clone)]
pub struct ShipperConfig {
    /// The data directory with the blocks; `--tsdb.path`.
    pub folder: PathBuf,
    /// The name of the state file in it; `--shipper.meta-file-name`.
    pub state_file: String,
    /// Who ships.
    pub source: Source,
    /// Whether blocks that were compacted are shipped as well; `--shipper.upload-compacted`.
    pub upload_compacted: bool,
    /// Whether a block may be shipped though an older one could not be, or one of the same time is there;
    /// `--shipper.allow-out-of-order-uploads`.
    pub allow_out_of_order: bool,
    /// How many files of a block are sent at once; `--shipper.upload-concurrency`.
    pub concurrency: usize,
    /// `--hash-func`.
    pub hash_func: HashFunc,
}

impl ShipperConfig {
    /// The defaults for a data directory.
    pub fn new(folder: impl Into<PathBuf>, source: Source) -> Self {
        ShipperConfig {
            folder: folder.into(),
            state_file: DEFAULT_STATE_FILE.to_owned(),
            source,
            upload_compacted: false,
            allow_out_of_order: false,
            concurrency: 1,
            hash_func: HashFunc::None,
        }
    }
}

/// Ships blocks, round after round.
#[derive(Debug)]
pub struct Shipper {
    bucket: BucketRef,
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    config: ShipperConfig,
    metrics: ShipperMetrics,
}

/// What a round did.
#[derive(Debug, Default)]
pub struct Shipped {
    /// The blocks that became visible, in this order.
    pub uploaded: Vec<BlockId>,
    /// The blocks of the disk that are in the bucket, those of this round among them.
    pub in_bucket: Vec<BlockId>,
    /// The blocks that could not be shipped.
    pub failed: Vec<(BlockId, ShipError)>,
}

/// A block that was not shipped.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// Its meta.json cannot be read.
    #[error("meta.json cannot be read")]
    Local(#[source] io::Error),
    /// Its meta.json cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// Its files cannot be linked aside.
    #[error("the block's files cannot be linked")]
    Link(#[source] io::Error),
    /// It was compacted, and covers a time of which there are blocks in the bucket.
    #[error("the block overlaps with block {other} in the bucket")]
    Overlap {
        /// A block of the same labels and the same time.
        other: BlockId,
    },
    /// Whether it overlaps could not be found out.
    #[error("the blocks in the bucket cannot be read")]
    OverlapUnknown(#[source] BucketError),
    /// The upload failed.
    #[error(transparent)]
    Upload(#[from] UploadError),
}

impl ShipError {
    fn concerns_block_alone(&self) -> bool {
        match self {
            ShipError::Local(_) | ShipError::Meta(_) | ShipError::Link(_) | ShipError::Overlap { .. } => true,
            ShipError::OverlapUnknown(_) => false,
            ShipError::Upload(error) => error.concerns_block_alone(),
        }
    }
}

impl Kind for ShipError {
    fn kind(&self) -> ErrorKind {
        match self {
            ShipError::Local(error) | ShipError::Link(error) => kind_of_io(error),
            ShipError::Meta(error) => error.kind(),
            ShipError::Overlap { .. } => ErrorKind::Conflict,
            ShipError::OverlapUnknown(error) => error.kind(),
            ShipError::Upload(error) => error.kind(),
        }
    }
}

/// A round that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ShipperError {
    /// Without external labels nobody could tell whose samples these are.
    #[error("no external labels are set")]
    NoLabels,
    /// The data directory cannot be read.
    #[error("{folder} cannot be read")]
    Folder {
        /// The folder.
        folder: String,
        /// What the disk says.
        #[source]
        source: io::Error,
    },
    /// The state cannot be written; the blocks that were shipped are looked for in the bucket the next time.
    #[error("{path} cannot be written")]
    State {
        /// The file.
        path: String,
        /// What the disk says.
        #[source]
        source: io::Error,
    },
}

impl Kind for ShipperError {
    fn kind(&self) -> ErrorKind {
        match self {
            ShipperError::NoLabels => ErrorKind::InvalidArgument,
            ShipperError::Folder { source, .. } | ShipperError::State { source, .. } => kind_of_io(source),
        }
    }
}

/// A block on disk, as far as it can be read.
type Local = (BlockId, Result<Meta, ShipError>);

impl Shipper {
    /// A shipper of one data directory. Nobody else may use its upload folder.
    pub fn new(
        bucket: BucketRef,
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        config: ShipperConfig,
        metrics: ShipperMetrics,
    ) -> Self {
        Shipper { bucket, fs, clock, config, metrics }
    }

    /// Ships what is to be shipped, with these external labels.
    ///
    /// # Errors
    /// See [`ShipperError`]; what concerns single blocks stands in the answer.
    pub async fn sync(&self, labels: &Labels) -> Result<Shipped, ShipperError> {
        let result = self.round(labels).await;
        self.metrics.dir_syncs.inc();
        if result.as_ref().map_or(true, |shipped| !shipped.failed.is_empty()) {
            self.metrics.dir_sync_failures.inc();
        }
        result
    }

    async fn round(&self, labels: &Labels) -> Result<Shipped, ShipperError> {
        if labels.is_empty() {
            return Err(ShipperError::NoLabels);
        }
        let state_path = self.config.folder.join(&self.config.state_file);
        let known: BTreeSet<BlockId> = match ShipperState::load(&self.fs, state_path.clone()).await {
            Ok(state) => state.uploaded.into_iter().collect(),
            Err(error) => {
                if !error.is_not_found() {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "could not use the shipper's state; every block is looked for in the bucket"
                    );
                }
                BTreeSet::new()
            }
        };
        let blocks = self.blocks().await?;
        self.remove_links().await;
        let mut shipped = Shipped::default();
        let mut compacted_missing = false;
        for (block, meta) in blocks {
            if known.contains(&block) {
                shipped.in_bucket.push(block);
                continue;
            }
            let outcome = match meta {
                Ok(meta) if !self.is_wanted(&meta) => continue,
                Ok(meta) => {
                    let compacted = meta.block.compaction.level > 1;
                    let outcome = self.ship(meta, labels).await;
                    compacted_missing |= compacted && outcome.is_err();
                    outcome
                }
                Err(error) => {
                    self.metrics.corrupted.inc();
                    Err(error)
                }
            };
            match outcome {
                Ok(uploaded) => {
                    if uploaded {
                        self.metrics.uploads.inc();
                        shipped.uploaded.push(block);
                    }
                    shipped.in_bucket.push(block);
                }
                Err(error) => {
                    self.metrics.upload_failures.inc();
                    tracing::warn!(block = %block, error = &error as &dyn std::error::Error, "could not ship a block");
                    let go_on = self.config.allow_out_of_order || error.concerns_block_alone();
                    shipped.failed.push((block, error));
                    if !go_on {
                        // Those behind it that are known to be in the bucket stay known.
                        break;
                    }
                }
            }
        }
        self.keep_known(&known, &mut shipped).await?;
        self.metrics.compacted_done.set(i64::from(self.config.upload_compacted && !compacted_missing));
        let state = ShipperState::new(shipped.in_bucket.clone());
        let stored = state.store(&self.fs, state_path.clone()).await;
        stored.map_err(|source| ShipperError::State { path: state_path.display().to_string(), source })?;
        Ok(shipped)
    }

    /// After a round that ended early, blocks that were not reached are still where they were.
    async fn keep_known(&self, known: &BTreeSet<BlockId>, shipped: &mut Shipped) -> Result<(), ShipperError> {
        let reached: BTreeSet<BlockId> = shipped.in_bucket.iter().copied().collect();
        let missing: Vec<BlockId> = known.difference(&reached).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let on_disk = self.blocks().await?;
        shipped
            .in_bucket
            .extend(on_disk.into_iter().map(|(block, _)| block).filter(|block| missing.contains(block)));
        Ok(())
    }

    fn is_wanted(&self, meta: &Meta) -> bool {
        meta.block.stats.num_samples > 0 && (meta.block.compaction.level <= 1 || self.config.upload_compacted)
    }

    /// The blocks on disk, the oldest samples first; those that cannot be read stand where their IDs are.
    async fn blocks(&self) -> Result<Vec<Local>, ShipperError> {
        let folder = self.config.folder.clone();
        let failed =
            |source| ShipperError::Folder { folder: self.config.folder.display().to_string(), source };
        let fs = Arc::clone(&self.fs);
        let entries = on_disk(move || fs.list(&folder)).await.map_err(failed)?;
        let mut blocks: Vec<Local> = Vec::new();
        for entry in entries.into_iter().filter(|entry| entry.is_dir) {
            let Ok(block) = entry.name.parse::<BlockId>() else { continue };
            let meta = match read_local_meta(&self.fs, self.config.folder.join(&entry.name)).await {
                Ok(Ok(meta)) if meta.id() != block => {
                    Err(MetaError::WrongBlock { folder: block, found: meta.id() }.into())
                }
                Ok(meta) => meta.map_err(ShipError::Meta),
                Err(error) => {
                    if self.is_gone(&entry.name).await {
                        // Prometheus has deleted the block since the folder was listed.
                        continue;
                    }
                    Err(ShipError::Local(error))
                }
            };
            blocks.push((block, meta));
        }
        blocks.sort_by_key(|(block, meta)| {
            (meta.as_ref().map_or(i64::MIN, |meta| meta.block.min_time), *block)
        });
        Ok(blocks)
    }

    async fn is_gone(&self, name: &str) -> bool {
        let (fs, folder) = (Arc::clone(&self.fs), self.config.folder.join(name));
        let there = on_disk(move || fs.stat(&folder)).await;
        there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Ships one block; `false` where it was in the bucket already.
    async fn ship(&self, mut meta: Meta, labels: &Labels) -> Result<bool, ShipError> {
        let block = meta.id();
        let name = layout::object(block, layout::META);
        let failed = |source| UploadError::Bucket { block, source };
        if self.bucket.exists(&name).await.map_err(failed)? {
            return Ok(false);
        }
        let thanos = &mut meta.thanos;
        // The labels of this process win over those that the block may bring along.
        thanos.labels.extend(labels.iter().map(|label| (label.name.clone(), label.value.clone())));
        thanos.source = self.config.source.clone();
        if meta.block.compaction.level > 1 && !self.config.allow_out_of_order {
            overlap::refuse_overlap(self.bucket.as_ref(), &meta).await?;
        }
        let folder = self.link(block).await.map_err(ShipError::Link)?;
        let upload = Upload {
            bucket: self.bucket.as_ref(),
            fs: &self.fs,
            folder: folder.clone(),
            meta,
            clock: self.clock.as_ref(),
            hash_func: self.config.hash_func,
            concurrency: self.config.concurrency,
        };
        let uploaded = upload.run().await;
        self.remove_links().await;
        Ok(matches!(uploaded?, Uploaded::Done(_)))
    }

    /// Gives the files of a block second names, under which they stay until they are uploaded.
    async fn link(&self, block: BlockId) -> io::Result<PathBuf> {
        let (fs, data) = (Arc::clone(&self.fs), self.config.folder.clone());
        on_disk(move || {
            let (from, to) = (data.join(block.to_string()), data.join(UPLOAD_FOLDER).join(block.to_string()));
            fs.create_dir_all(&to.join(layout::CHUNKS))?;
            for file in local::block_files(fs.as_ref(), &from)? {
                fs.hard_link(&from.join(&file.rel_path), &to.join(&file.rel_path))?;
            }
            Ok(to)
        })
        .await
    }

    /// Removes the second names; what cannot be removed now is removed in the next round.
    async fn remove_links(&self) {
        let (fs, folder) = (Arc::clone(&self.fs), self.config.folder.join(UPLOAD_FOLDER));
        let removed = on_disk(move || remove_dir_if_there(fs.as_ref(), &folder)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "could not remove the links of an upload");
        }
    }
}

fn remove_dir_if_there(fs: &dyn Fs, folder: &Path) -> io::Result<()> {
    match fs.remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
