//! A bucket that looks at every change: is what becomes visible whole and true, may go what is marked, may go what is removed?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use block::{BlockId, DeletionMark, Mark, Meta, PARTIAL_AGE, Resolution, Source, layout};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use objstore::{
    Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written, read_all,
};
use prom_model::{Clock, PromDuration};

use super::blocks::{Contents, HOUR, Sample, read, windows};
use super::turns::{START, SkewedClock};

/// Stands before the true bucket and behind all faults.
#[derive(Debug)]
pub(super) struct Watch {
    inner: BucketRef,
    clock: Arc<SkewedClock>,
    delay: PromDuration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    broken: Vec<String>,
    /// Blocks that have their meta.json.
    visible: BTreeMap<BlockId, (Meta, Contents)>,
    marked: BTreeSet<BlockId>,
    by_hand: BTreeSet<BlockId>,
    removing: BTreeSet<BlockId>,
    /// Everything that was ever scraped, by cluster.
    scraped: BTreeMap<String, BTreeSet<Sample>>,
    /// What blocks of level 1 have brought whole into the bucket.
    arrived: BTreeMap<BlockId, (String, BTreeSet<Sample>)>,
    /// What retention has let go, by cluster.
    expired: BTreeMap<String, BTreeSet<Sample>>,
    marks: u64,
}

fn cluster(meta: &Meta) -> &str {
    meta.thanos.labels.get("cluster").map_or("", String::as_str)
}

fn resolution(meta: &Meta) -> Resolution {
    meta.thanos.downsample.resolution
}

/// A block, with the last letters of its name and of what it was made of.
fn words(meta: &Meta) -> String {
    let short = |block: &BlockId| block.to_string().split_off(22);
    let Meta { block, .. } = meta;
    let sources: Vec<String> = block.compaction.sources.iter().map(short).collect();
    let range = ((block.min_time - START) / HOUR, (block.max_time - START) / HOUR);
    let (name, level) = (short(&block.ulid), block.compaction.level);
    let (cluster, resolution) = (cluster(meta), resolution(meta));
    format!("{name} {cluster} {resolution} {range:?} level {level} of {}", sources.join(" "))
}

impl Watch {
    pub(super) fn new(inner: BucketRef, clock: Arc<SkewedClock>, delay: PromDuration) -> Arc<Self> {
        Arc::new(Watch { inner, clock, delay, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The rules that were broken so far.
    pub(super) fn broken(&self) -> Vec<String> {
        self.state().broken.clone()
    }

    /// How many blocks were marked for deletion.
    pub(super) fn marks(&self) -> u64 {
        self.state().marks
    }

    fn breaks(&self, what: String) {
        self.state().broken.push(what);
    }

    /// These samples exist.
    pub(super) fn scraped(&self, cluster: &str, samples: &BTreeSet<Sample>) {
        self.state().scraped.entry(cluster.to_owned()).or_default().extend(samples);
    }

    /// Somebody is going to mark this block by hand.
    pub(super) fn by_hand(&self, block: BlockId) {
        self.state().by_hand.insert(block);
    }

    /// Blocks that are there to stay.
    pub(super) fn live(&self) -> Vec<Meta> {
        let state = self.state();
        let live = state.visible.iter().filter(|(block, _)| !state.marked.contains(block));
        live.map(|(_, (meta, _))| meta.clone()).collect()
    }

    /// The blocks that are visible, in words.
    pub(super) fn described(&self) -> Vec<String> {
        let state = self.state();
        let marked = |block| if state.marked.contains(block) { "marked" } else { "" };
        let visible = state.visible.iter();
        visible.map(|(block, (meta, _))| format!("{} {}", words(meta), marked(block))).collect()
    }

    /// What is lost: samples that no block has that is there to stay, nor anybody but an operator has taken away.
    pub(super) fn lost(&self) -> Vec<String> {
        let state = self.state();
        let mut lost = Vec::new();
        let live = |name: &str, wanted: Resolution| {
            let live = state.visible.iter().filter(|(block, _)| !state.marked.contains(block));
            live.filter(|(_, (meta, _))| cluster(meta) == name && resolution(meta) == wanted)
                .map(|(_, (_, contents))| contents.clone())
                .collect::<Vec<Contents>>()
        };
        for name in state.scraped.keys() {
            let raw: BTreeSet<Sample> =
                live(name, Resolution::RAW).into_iter().flat_map(|contents| contents.raw).collect();
            let arrived =
                state.arrived.iter().filter(|(block, (of, _))| of == name && !state.by_hand.contains(block));
            let nothing = BTreeSet::new();
            let expired = state.expired.get(name).unwrap_or(&nothing);
            for (block, (_, samples)) in arrived {
                let missing =
                    samples.iter().filter(|sample| !raw.contains(sample) && !expired.contains(sample));
                let missing = missing.count();
                if missing > 0 {
                    lost.push(format!("{missing} samples of {block} of {name}"));
                }
            }
            let five: BTreeSet<(u8, i64)> = live(name, Resolution::FIVE_MINUTES)
                .into_iter()
                .flat_map(|contents| contents.windows.into_keys())
                .collect();
            let gone: BTreeSet<Sample> = expired.difference(&raw).copied().collect();
            for window in windows(&gone, Resolution::FIVE_MINUTES).keys() {
                if !five.contains(window) {
                    lost.push(format!("window {window:?} of {name}, which retention has taken from raw"));
                }
            }
        }
        lost
    }

    async fn became_visible(&self, block: BlockId) {
        let name = layout::object(block, layout::META);
        let bytes = read_all(self.inner.as_ref(), &name, 1 << 20).await.unwrap();
        let meta = match Meta::of_block(block, &bytes) {
            Ok(meta) => meta,
            Err(error) => return self.breaks(format!("{name}: {error}")),
        };
        let contents = match read(self.inner.as_ref(), &meta).await {
            Ok(contents) => contents,
            Err(why) => return self.breaks(format!("{block} became visible, but {why}")),
        };
        let mut state = self.state();
        let nothing = BTreeSet::new();
        let scraped = state.scraped.get(cluster(&meta)).unwrap_or(&nothing);
        let invented = contents.raw.difference(scraped).count();
        let in_windows = windows(scraped, resolution(&meta));
        let more = contents.windows.iter();
        let more = more.filter(|(window, count)| in_windows.get(window).is_none_or(|known| known < count));
        let more = more.count();
        if invented + more > 0 {
            state
                .broken
                .push(format!("{block} has {invented} samples and {more} windows that nobody scraped"));
        }
        if matches!(meta.thanos.source, Source::Sidecar) {
            let samples = contents.raw.clone();
            state.arrived.insert(block, (cluster(&meta).to_owned(), samples));
        }
        state.visible.insert(block, (meta, contents));
    }

    fn became_marked(&self, block: BlockId, mark: &DeletionMark) {
        let mut state = self.state();
        if !state.marked.insert(block) {
            return;
        }
        state.marks += 1;
        let Some((meta, contents)) = state.visible.get(&block).cloned() else { return };
        if state.by_hand.contains(&block) {
            return;
        }
        let is_expired = mark.details.starts_with("block exceeding retention");
        let wanted = match (is_expired, resolution(&meta)) {
            (true, Resolution::RAW) => Resolution::FIVE_MINUTES,
            (true, _) => Resolution::ONE_HOUR,
            (false, own) => own,
        };
        let live = state.visible.iter().filter(|(other, _)| !state.marked.contains(other));
        let live =
            live.filter(|(_, (other, _))| cluster(other) == cluster(&meta) && resolution(other) == wanted);
        let live: Vec<&Contents> = live.map(|(_, (_, contents))| contents).collect();
        let nothing = BTreeSet::new();
        let expired = state.expired.get(cluster(&meta)).unwrap_or(&nothing);
        let missing = if wanted == Resolution::RAW {
            let is_held = |sample: &&Sample| live.iter().any(|other| other.raw.contains(*sample));
            contents.raw.iter().filter(|sample| !is_held(sample) && !expired.contains(sample)).count()
        } else {
            let needed = match resolution(&meta) {
                Resolution::RAW => windows(&contents.raw, wanted),
                _ => contents.windows.clone(),
            };
            let held =
                |window: &(u8, i64)| live.iter().filter_map(|other| other.windows.get(window)).sum::<u64>();
            needed.iter().filter(|(window, count)| held(window) < **count).count()
        };
        if missing > 0 {
            let others = state.visible.iter().filter(|(other, _)| !state.marked.contains(other));
            let others: Vec<String> = others.map(|(_, (other, _))| words(other)).collect();
            let (details, meta) = (&mark.details, words(&meta));
            let what =
                format!("{meta} was marked ({details}), but {missing} of it are nowhere else: {others:#?}");
            state.broken.push(what);
        }
        if is_expired {
            state.expired.entry(cluster(&meta).to_owned()).or_default().extend(contents.raw);
        }
    }

    async fn check_removal(&self, name: &str) {
        let Some((block, file)) = layout::block_of(name) else { return };
        let now = self.clock.now();
        let mark_name = layout::object(block, DeletionMark::FILE);
        let folder = self.inner.list(&layout::folder(block), Listing::Recursive);
        let objects: Vec<Entry> = folder.try_collect().await.unwrap();
        if let Ok(mark) = read_all(self.inner.as_ref(), &mark_name, 1 << 20).await {
            let mark = DeletionMark::of_block(block, &mark).unwrap().unwrap();
            let written =
                objects.iter().find(|entry| entry.name == mark_name).and_then(|entry| entry.attributes);
            let age = now.since(mark.time()).min(now.since(written.unwrap().modified));
            if age < self.delay {
                self.breaks(format!("{name} was removed {age} after its mark"));
            }
            if file != layout::META && objects.iter().any(|entry| entry.name.ends_with("/meta.json")) {
                self.breaks(format!("{name} was removed before meta.json"));
            }
            if file == DeletionMark::FILE && objects.len() > 1 {
                self.breaks(format!("{name} was removed before {objects:?}"));
            }
            return;
        }
        if self.state().removing.contains(&block) || objects.is_empty() {
            return;
        }
        if objects.iter().any(|entry| entry.name.ends_with("/meta.json")) {
            self.breaks(format!("{name} was removed without a mark"));
        }
        let newest = objects.iter().filter_map(|entry| entry.attributes).map(|known| known.modified).max();
        if newest.is_some_and(|newest| now.since(newest) <= PARTIAL_AGE) {
            self.breaks(format!("{name} was removed while the upload went on"));
        }
        self.state().removing.insert(block);
    }
}

#[async_trait]
impl Bucket for Watch {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        self.inner.list(folder, listing)
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        self.inner.get(name).await
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.inner.get_range(name, offset, length).await
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        self.inner.exists(name).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.inner.attributes(name).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        let written = self.inner.put(name, body, put).await;
        let Some((block, file)) = layout::block_of(name).filter(|_| written.is_ok()) else { return written };
        self.state().removing.remove(&block);
        if file == layout::META {
            self.became_visible(block).await;
        } else if file == DeletionMark::FILE {
            let mark = read_all(self.inner.as_ref(), name, 1 << 20).await.unwrap();
            match DeletionMark::of_block(block, &mark) {
                Ok(Some(mark)) => self.became_marked(block, &mark),
                other => self.breaks(format!("{name}: {other:?}")),
            }
        }
        written
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.check_removal(name).await;
        let deleted = self.inner.delete(name).await;
        if let Some((block, file)) = layout::block_of(name).filter(|_| deleted.is_ok()) {
            let mut state = self.state();
            if file == layout::META {
                state.visible.remove(&block);
            } else if state.visible.contains_key(&block)
                && file != DeletionMark::FILE
                && !file.ends_with("-mark.json")
            {
                state.broken.push(format!("{block} is visible without {file}"));
            } else if file == DeletionMark::FILE {
                state.marked.remove(&block);
            }
        }
        deleted
    }
}
