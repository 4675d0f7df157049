//! Which blocks are served: what the fetcher sees, with an index-header for each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ::block::index_header::IndexHeaderError;
use ::block::{FetchError, Meta, layout};
use error_kind::{ErrorKind, Kind};
use futures::StreamExt;
use prom_model::PromDuration;
use tracing::{debug, info, warn};
use tsdb::BlockId;

use super::BucketStore;
use super::block::Block;
use super::header::HeaderSlot;
use super::select::RESOLUTIONS;
use super::state::State;

/// For so long the first look through the bucket is tried again, with this pause.
const FIRST_TRIES: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// The blocks of the bucket could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// They could not be listed.
    #[error("sync block")]
    Fetch(#[from] FetchError),
}

impl Kind for SyncError {
    fn kind(&self) -> ErrorKind {
        let SyncError::Fetch(error) = self;
        error.kind()
    }
}

/// A block that is not served.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("unsupported downsampling resolution {0}")]
    Resolution(i64),
    #[error("create index header reader")]
    Header(#[from] IndexHeaderError),
}

impl BucketStore {
    /// The first look through the bucket: tried again for 30 seconds; then local folders of other blocks are removed.
    ///
    /// # Errors
    /// As [`BucketStore::sync`], after the last try.
    pub async fn first_sync(&self) -> Result<(), SyncError> {
        let mut waited = Duration::ZERO;
        while let Err(error) = self.sync().await {
            if waited >= FIRST_TRIES {
                return Err(error);
            }
            warn!(msg = "the first look through the bucket failed, trying again", err = %chain(&error));
            tokio::time::sleep(FIRST_PAUSE).await;
            waited += FIRST_PAUSE;
        }
        self.remove_strangers().await;
        Ok(())
    }

    /// Looks through the bucket: new blocks are loaded, those that are gone are served no longer. Calls that are under way keep
    /// the blocks that they began with.
    ///
    /// # Errors
    /// When the bucket cannot be listed; what is served stays as it is. A block that cannot be loaded is left out, and tried
    /// again the next time.
    pub async fn sync(&self) -> Result<(), SyncError> {
        let (parts, config) = (&self.0.parts, &self.0.config);
        let view = parts.fetcher.fetch().await?;
        let state = self.state();
        let is_new = |(id, _): &(&BlockId, &Arc<Meta>)| !state.blocks.contains_key(id);
        let fresh: Vec<(BlockId, Arc<Meta>)> =
            view.metas.iter().filter(is_new).map(|(id, meta)| (*id, Arc::clone(meta))).collect();
        let have_header = self.with_header(fresh.iter().map(|(id, _)| *id).collect()).await;
        let loads = fresh.into_iter().map(|(id, meta)| {
            let has_header = have_header.contains(&id);
            async move { (id, self.load(meta, has_header).await) }
        });
        let loaded: Vec<(BlockId, Option<Arc<Block>>)> =
            futures::stream::iter(loads).buffer_unordered(config.sync_concurrency.max(1)).collect().await;
        let mut blocks: BTreeMap<BlockId, Arc<Block>> = BTreeMap::new();
        let mut gone = Vec::new();
        for (id, block) in &state.blocks {
            // What could not be read may still be there.
            if view.metas.contains_key(id) || !view.is_complete() {
                blocks.insert(*id, Arc::clone(block));
            } else {
                gone.push(*id);
            }
        }
        blocks.extend(loaded.into_iter().filter_map(|(id, block)| Some((id, block?))));
        parts.metrics.blocks_loaded.set(blocks.len() as i64);
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(State::new(blocks, view));
        for id in gone {
            self.drop_block(id).await;
        }
        Ok(())
    }

    /// Closes index-headers that were not used for a while.
    pub fn close_unused_headers(&self) {
        let Some(idle) = self.0.config.header_idle else { return };
        let idle = PromDuration::from_millis(i64::try_from(idle.as_millis()).unwrap_or(i64::MAX));
        let since = self.0.parts.clock.now().saturating_sub(idle);
        for block in self.state().blocks.values() {
            block.header.close_unused(since);
        }
    }

    /// Of these blocks, those of which there is an index-header on the disk: whether it can be used is seen when it is opened.
    async fn with_header(&self, blocks: Vec<BlockId>) -> BTreeSet<BlockId> {
        let (fs, folder) = (Arc::clone(&self.0.parts.fs), self.0.config.data_dir.clone());
        let is_there = move |id: &BlockId| {
            let path = folder.join(id.to_string()).join(layout::INDEX_HEADER);
            fs.stat(&path).is_ok_and(|entry| entry.size > 0)
        };
        // All in one step: a step for each would take longer than the look itself.
        let looked = tokio::task::spawn_blocking(move || blocks.into_iter().filter(is_there).collect());
        looked.await.unwrap_or_default()
    }

    async fn load(&self, meta: Arc<Meta>, has_header: bool) -> Option<Arc<Block>> {
        let (parts, id) = (&self.0.parts, meta.id());
        let start = parts.clock.now();
        parts.metrics.block_loads.inc();
        let loaded = self.try_load(meta, has_header).await;
        let elapsed = Duration::from_secs_f64(parts.clock.now().since(start).as_secs_f64().max(0.0));
        match loaded {
            Ok(block) => {
                debug!(msg = "loaded new block", ?elapsed, %id);
                parts.metrics.block_load.observe(elapsed.as_secs_f64());
                parts.metrics.last_loaded.set(parts.clock.now().as_millis() as f64 / 1000.0);
                Some(Arc::new(block))
            }
            Err(error) => {
                parts.metrics.block_load_failures.inc();
                warn!(msg = "loading block failed", ?elapsed, %id, err = %chain(&error));
                self.remove_folder(id).await;
                None
            }
        }
    }

    async fn try_load(&self, meta: Arc<Meta>, has_header: bool) -> Result<Block, LoadError> {
        let (parts, config, id) = (&self.0.parts, &self.0.config, meta.id());
        let resolution = meta.thanos.downsample.resolution.0;
        if !RESOLUTIONS.contains(&resolution) {
            return Err(LoadError::Resolution(resolution));
        }
        let path = config.data_dir.join(id.to_string()).join(layout::INDEX_HEADER);
        let (bucket, fs, clock) =
            (Arc::clone(&parts.bucket), Arc::clone(&parts.fs), Arc::clone(&parts.clock));
        let header = HeaderSlot::new(id, bucket, fs, path, clock, parts.metrics.headers.clone());
        if !config.lazy_download && !has_header {
            header.make().await?;
        }
        Ok(Block::new(meta, header))
    }

    async fn drop_block(&self, id: BlockId) {
        self.0.parts.metrics.block_drops.inc();
        if !self.remove_folder(id).await {
            self.0.parts.metrics.block_drop_failures.inc();
        }
        info!(msg = "dropped outdated block", block = %id);
    }

    /// Removes the local folder of a block; `false` where that failed.
    async fn remove_folder(&self, id: BlockId) -> bool {
        let (fs, folder) = (Arc::clone(&self.0.parts.fs), self.0.config.data_dir.join(id.to_string()));
        let removed = tokio::task::spawn_blocking(move || match fs.remove_dir_all(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other,
        });
        match removed.await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                warn!(msg = "the local folder of a block cannot be removed", block = %id, err = %error);
                false
            }
            Err(_) => false,
        }
    }

    /// Removes local folders of blocks that are not served.
    async fn remove_strangers(&self) {
        let (fs, folder) = (Arc::clone(&self.0.parts.fs), self.0.config.data_dir.clone());
        let listed = tokio::task::spawn_blocking(move || fs.list(&folder)).await;
        let Ok(Ok(entries)) = listed else { return };
        let state = self.state();
        for entry in entries.iter().filter(|entry| entry.is_dir) {
            let Ok(id) = entry.name.parse::<BlockId>() else { continue };
            if !state.blocks.contains_key(&id) {
                self.remove_folder(id).await;
            }
        }
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
