//! What is in the bucket, as all queues see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use block::filter::{
    ConsistencyDelay, Duplicates, Filter, IgnoreDeletionMarks, NoCompactMarks, NoDownsampleMarks,
    ReplicaLabels,
};
use block::findings::{Finding, Severity};
use block::{
    BlockError, FetchError, Fetcher, FetcherConfig, FetcherMetrics, MarkError, MetaError, View, layout,
};
use futures::StreamExt;
use objstore::BucketRef;
use prom_model::{Clock, PromDuration};
use tokio::sync::Mutex;
use tsdb::BlockId;
use tsdb::fs::Fs;

use super::CompactorConfig;

/// Looks through the bucket for whoever asks; those that ask at the same time share a look.
#[derive(Debug)]
pub(super) struct Views {
    fetcher: Fetcher,
    begun: AtomicU64,
    last: Mutex<Option<(u64, Arc<View>)>>,
}

impl Views {
    pub(super) fn new(
        config: &CompactorConfig,
        bucket: &BucketRef,
        fs: &Arc<dyn Fs>,
        clock: &Arc<dyn Clock>,
        metrics: FetcherMetrics,
    ) -> Self {
        // Blocks that are to be deleted are seen for half of the time: what takes their place may not be there yet, and the
        // blocks around them must not be joined over the hole.
        let unseen = PromDuration::from_millis(config.delete_delay.as_millis() / 2);
        let mut filters: Vec<Box<dyn Filter>> = vec![
            Box::new(config.time_range),
            Box::new(config.shard()),
            Box::new(ConsistencyDelay(config.consistency_delay)),
            Box::new(IgnoreDeletionMarks(unseen)),
            Box::new(ReplicaLabels { names: config.replica_labels.clone() }),
            Box::new(Duplicates),
            Box::new(NoCompactMarks),
        ];
        if config.downsampling {
            filters.push(Box::new(NoDownsampleMarks));
        }
        let settings = FetcherConfig {
            discovery: config.discovery,
            concurrency: config.meta_concurrency,
            cache: config.keep_metas.then(|| (Arc::clone(fs), config.data_dir.clone())),
            read_twice: true,
        };
        let fetcher = Fetcher::new(Arc::clone(bucket), Arc::clone(clock), settings, filters, metrics);
        Views { fetcher, begun: AtomicU64::new(0), last: Mutex::new(None) }
    }

    /// What is in the bucket now: a look that began after the call.
    pub(super) async fn fresh(&self) -> Result<Arc<View>, FetchError> {
        let asked = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((number, view)) = last.as_ref()
            && *number > asked
        {
            return Ok(Arc::clone(view));
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let view = Arc::new(self.fetcher.fetch().await?);
        *last = Some((number, Arc::clone(&view)));
        Ok(view)
    }

    /// Lets the next look read the meta.json of a block again.
    pub(super) async fn forget(&self, block: BlockId) {
        self.fetcher.forget(block).await;
    }

    /// What the last look saw.
    pub(super) async fn last(&self) -> Option<Arc<View>> {
        self.last.lock().await.as_ref().map(|(_, view)| Arc::clone(view))
    }
}

/// What the metadata of a bucket say about its blocks, before any of them is read.
#[derive(Debug, Clone, Default)]
pub(super) struct Judged {
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
    /// Blocks that are seen, but neither to be compacted nor to be relied on.
    pub(super) excluded: BTreeSet<BlockId>,
    /// Blocks that are to be looked at before anything is done with their group.
    pub(super) suspects: BTreeSet<BlockId>,
}

impl Judged {
    pub(super) fn of(view: &View) -> Self {
        let mut judged = Judged::default();
        let Judged { findings, excluded, suspects } = &mut judged;
        let mut say = |block, severity, code, detail: String| {
            findings.push(Finding::new(block, severity, code, detail));
        };
        for (block, error) in &view.errors {
            let (severity, code) = code_of(error);
            say(*block, severity, code, chain(error.as_ref()));
            // Somebody has said something about the block that is not understood: it is left as it is.
            excluded.insert(*block);
        }
        for block in view.partial.keys().filter(|block| !view.deletion_marks.contains_key(block)) {
            let detail = "no meta.json: an upload that goes on or was given up";
            say(*block, Severity::Damage, "meta-missing", detail.to_owned());
        }
        for (block, meta) in &view.metas {
            let of_block = &meta.block;
            let resolution = meta.thanos.downsample.resolution;
            if meta.thanos.labels.is_empty() {
                let detail = "without external labels nothing tells its producer, and it joins every other block without any";
                say(*block, Severity::Damage, "meta-no-labels", detail.to_owned());
                excluded.insert(*block);
            } else if of_block.min_time >= of_block.max_time {
                let detail =
                    format!("minTime {} is not before maxTime {}", of_block.min_time, of_block.max_time);
                say(*block, Severity::Damage, "meta-time-range", detail);
                suspects.insert(*block);
            } else if ![0, 300_000, 3_600_000].contains(&resolution.0) {
                let detail = format!("resolution is {resolution} ms; there are 0, 300000 and 3600000");
                say(*block, Severity::Defect, "meta-resolution", detail);
                excluded.insert(*block);
            }
        }
        judged
    }

    /// All blocks that are not to be compacted, the marked ones too. What is to be deleted stays a hole until it is not seen any
    /// more: joined with others it would come back, also where a listing does not have what took its place.
    pub(super) fn excluded_from_compaction(&self, view: &View) -> BTreeSet<BlockId> {
        let marked = view.no_compact_marks.keys().chain(view.deletion_marks.keys());
        marked.chain(&self.excluded).chain(&self.suspects).copied().collect()
    }
}

const fn code_of(error: &BlockError) -> (Severity, &'static str) {
    match error {
        BlockError::NoMeta => (Severity::Damage, "meta-missing"),
        BlockError::Meta(MetaError::Json(_) | MetaError::TooLarge(_)) => {
            (Severity::Damage, "meta-unreadable")
        }
        BlockError::Meta(MetaError::Version(_)) => (Severity::Damage, "meta-version"),
        BlockError::Meta(MetaError::ThanosVersion(_)) => (Severity::Damage, "meta-thanos-version"),
        BlockError::Meta(MetaError::WrongBlock { .. }) => (Severity::Damage, "meta-wrong-id"),
        BlockError::Mark(MarkError::Version { .. }) => (Severity::Defect, "mark-version"),
        BlockError::Mark(MarkError::WrongBlock { .. }) => (Severity::Defect, "mark-wrong-id"),
        BlockError::Mark(MarkError::TooLarge { .. } | MarkError::Json { .. }) => {
            (Severity::Defect, "mark-unreadable")
        }
        BlockError::Mark(MarkError::Bucket { .. }) => (Severity::Damage, "mark-unavailable"),
        BlockError::Bucket(_) => (Severity::Damage, "meta-unavailable"),
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = next.source();
    }
    text
}

/// The size of the index of the blocks whose metadata do not tell it.
pub(super) async fn index_sizes(bucket: &BucketRef, view: &View, at_once: usize) -> BTreeMap<BlockId, u64> {
    let unknown = view.metas.iter().filter(|(_, meta)| crate::plan::index_bytes(meta).is_none());
    let asked = unknown.map(|(block, _)| async move {
        let attributes = bucket.attributes(&layout::object(*block, layout::INDEX)).await;
        // Whoever reads the block will be told why.
        attributes.ok().map(|attributes| (*block, attributes.size))
    });
    let sizes: Vec<_> = futures::stream::iter(asked).buffered(at_once.max(1)).collect().await;
    sizes.into_iter().flatten().collect()
}
