//! A second look at meta.json: no checksum protects it, so nothing that lasts is done by one reading of it.

use block::{BlockId, DeletionMark, Meta, View, group_key, layout, read_mark};
use objstore::{BucketError, read_all};

use super::Compactor;
use super::error::JobFailure;

/// The largest meta.json that is read.
const META_BYTES_MAX: u64 = 1 << 20;

impl Compactor {
    /// Whether a block is still there as it was seen: its meta.json says the same, and it has no deletion mark that the view does
    /// not know.
    pub(super) async fn is_as_seen(&self, seen: &Meta, view: &View) -> Result<bool, JobFailure> {
        let block = seen.id();
        if !self.says_the_same(seen).await? {
            return Ok(false);
        }
        if view.deletion_marks.contains_key(&block) {
            return Ok(true);
        }
        Ok(read_mark::<DeletionMark>(self.bucket.as_ref(), block).await?.is_none())
    }

    /// Whether the meta.json of a block says again what it has said. Where not, the next look through the bucket reads it anew.
    pub(super) async fn says_the_same(&self, seen: &Meta) -> Result<bool, JobFailure> {
        let Some(found) = self.read_meta(seen.id()).await? else { return Ok(false) };
        let same = found.block == seen.block
            && group_key(&found.thanos) == group_key(&seen.thanos)
            && found.thanos.files == seen.thanos.files
            && found.thanos.source == seen.thanos.source;
        if !same {
            tracing::warn!(block = %seen.id(), "meta.json says something else when it is read again");
            self.views.forget(seen.id()).await;
        }
        Ok(same)
    }

    /// The meta.json of a block with the labels by which it is grouped; `None` where it is gone, or cannot be used.
    pub(super) async fn read_meta(&self, block: BlockId) -> Result<Option<Meta>, JobFailure> {
        let name = layout::object(block, layout::META);
        let bytes = match read_all(self.bucket.as_ref(), &name, META_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(BucketError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Ok(mut meta) = Meta::of_block(block, &bytes) else { return Ok(None) };
        self.without_replica_labels(&mut meta);
        Ok(Some(meta))
    }

    /// Takes the labels away by which replicas differ, as it is done for all blocks.
    fn without_replica_labels(&self, meta: &mut Meta) {
        let names = &self.config.replica_labels;
        let labels = &mut meta.thanos.labels;
        let before = labels.len();
        labels.retain(|name, _| !names.contains(name));
        if labels.is_empty()
            && before > 0
            && let Some(first) = names.first()
        {
            labels.insert(first.clone(), "deduped".to_owned());
        }
    }
}
