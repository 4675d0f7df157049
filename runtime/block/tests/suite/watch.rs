//! A bucket that looks at every change that reaches it: is what becomes visible whole, and may go what is removed?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use block::{BlockId, DeletionMark, Mark, Meta, PARTIAL_AGE, layout};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use objstore::{
    Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written, read_all,
};
use prom_model::{Clock, ManualClock, PromDuration};

/// Stands before the true bucket and behind all faults.
#[derive(Debug)]
pub(crate) struct Watch {
    inner: BucketRef,
    store_clock: Arc<ManualClock>,
    delay: PromDuration,
    broken: Mutex<Vec<String>>,
    /// Blocks whose removal was found right when it began.
    removing: Mutex<BTreeMap<BlockId, &'static str>>,
}

impl Watch {
    pub(crate) fn new(inner: BucketRef, store_clock: Arc<ManualClock>, delay: PromDuration) -> Arc<Self> {
        Arc::new(Watch { inner, store_clock, delay, broken: Mutex::default(), removing: Mutex::default() })
    }

    /// The rules that were broken so far.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.broken.lock().unwrap().clone()
    }

    fn breaks(&self, what: String) {
        self.broken.lock().unwrap().push(what);
    }

    /// A block that is visible has every file that its meta.json names.
    pub(crate) async fn check_visible(&self, block: BlockId) {
        let name = layout::object(block, layout::META);
        let Ok(bytes) = read_all(self.inner.as_ref(), &name, 1 << 20).await else { return };
        let Ok(meta) = Meta::of_block(block, &bytes) else {
            return self.breaks(format!("{name} is no metadata"));
        };
        for file in meta.thanos.files.iter().filter(|file| file.rel_path != layout::META) {
            let there = self.inner.attributes(&layout::object(block, &file.rel_path)).await;
            if there.as_ref().ok().map(|attributes| attributes.size) != Some(file.size_bytes) {
                self.breaks(format!("{block} is visible without {}", file.rel_path));
            }
        }
    }

    async fn check_removal(&self, name: &str) {
        let Some((block, file)) = layout::block_of(name) else { return };
        let now = self.store_clock.now();
        let mark = read_all(self.inner.as_ref(), &layout::object(block, DeletionMark::FILE), 1 << 20).await;
        if let Ok(mark) = mark {
            let mark = DeletionMark::of_block(block, &mark).unwrap().unwrap();
            let attributes = self.inner.attributes(&layout::object(block, DeletionMark::FILE)).await.unwrap();
            if now.since(attributes.modified) < self.delay || now.since(mark.time()) < self.delay {
                self.breaks(format!("{name} was removed too early"));
            }
            let folder = self.inner.list(&layout::folder(block), Listing::Recursive);
            let left: Vec<Entry> = folder.try_collect().await.unwrap();
            let has_meta = left.iter().any(|entry| entry.name.ends_with("/meta.json"));
            if file != layout::META && has_meta {
                self.breaks(format!("{name} was removed before meta.json"));
            }
            if file == DeletionMark::FILE && left.len() > 1 {
                self.breaks(format!("{name} was removed before {left:?}"));
            }
            return;
        }
        if self.removing.lock().unwrap().contains_key(&block) {
            return;
        }
        if self.inner.exists(&layout::object(block, layout::META)).await.unwrap() {
            self.breaks(format!("{name} was removed without a mark"));
        }
        let folder = self.inner.list(&layout::folder(block), Listing::Recursive);
        let objects: Vec<Entry> = folder.try_collect().await.unwrap();
        let newest =
            objects.iter().filter_map(|entry| entry.attributes).map(|attributes| attributes.modified).max();
        if newest.is_some_and(|newest| now.since(newest) <= PARTIAL_AGE) {
            self.breaks(format!("{name} was removed while the upload went on"));
        }
        self.removing.lock().unwrap().insert(block, "partial");
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
        if let Some((block, file)) = layout::block_of(name) {
            self.removing.lock().unwrap().remove(&block);
            if file == layout::META {
                self.check_visible(block).await;
            }
        }
        written
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.check_removal(name).await;
        let deleted = self.inner.delete(name).await;
        if let Some((block, _)) = layout::block_of(name) {
            self.check_visible(block).await;
        }
        deleted
    }
}
