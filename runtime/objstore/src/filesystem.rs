//! A folder of the local disk as a bucket, laid out as Thanos' FILESYSTEM has it: names verbatim, one file per object.

mod root;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};

use self::root::{Failure, FolderItem, Root};
use crate::file_body::{off_the_reactor, pieces, read_at};
use crate::memory::wrong_size;
use crate::name::{check_name, folder_prefix};
use crate::{Attributes, Body, Bucket, BucketError, Entry, Get, Listing, Put, Written};

/// Objects as files below one folder.
///
/// A write is visible whole or not at all, and on the disk when it returns: a file beside the object is written, synced and
/// renamed. Such files, which a crash may leave behind, are no objects and go with their folder. A folder without objects is
/// removed, and not listed where something else made it. Symbolic links are followed inside the bucket and not out of it.
pub struct Filesystem {
    name: String,
    root: Arc<Root>,
}

impl Filesystem {
    /// The bucket in this folder, which is made at the first write.
    ///
    /// # Errors
    /// When the path is relative and there is no working folder.
    pub fn new(directory: impl AsRef<Path>) -> std::io::Result<Self> {
        let directory: PathBuf = std::path::absolute(directory.as_ref())?;
        Ok(Self { name: format!("fs: {}", directory.display()), root: Arc::new(Root::new(directory)) })
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Root, &str) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BucketError> {
        check_name(name)?;
        let (root, owned) = (Arc::clone(&self.root), name.to_owned());
        let done = off_the_reactor(move || Ok(work(&root, &owned))).await;
        done.unwrap_or_else(|stopped| Err(Failure::Disk(stopped))).map_err(|failure| failure.of(name))
    }
}

#[async_trait]
impl Bucket for Filesystem {
    fn name(&self) -> &str {
        &self.name
    }

    fn creates_atomically(&self) -> bool {
        true
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let prefix = match folder_prefix(folder) {
            Ok(prefix) => prefix.into_owned(),
            Err(error) => return Box::pin(futures::stream::iter([Err(error)])),
        };
        // Folders that are still to be read, the next one last; `None` before the first.
        let start: Vec<FolderItem> = vec![FolderItem::Folder(prefix)];
        let walk = futures::stream::try_unfold((start, true), move |(mut waiting, first)| async move {
            let mut ready = Vec::new();
            while let Some(item) = waiting.pop() {
                match item {
                    FolderItem::Object(entry) => ready.push(entry),
                    FolderItem::Folder(name) if first || listing == Listing::Recursive => {
                        if !ready.is_empty() {
                            waiting.push(FolderItem::Folder(name));
                            break;
                        }
                        let root = Arc::clone(&self.root);
                        let below = name.clone();
                        let deep = listing == Listing::Recursive;
                        let items = off_the_reactor(move || Ok(root.read_folder(&below, deep))).await;
                        let items = items.unwrap_or_else(|stopped| Err(Failure::Disk(stopped)));
                        waiting.extend(items.map_err(|failure| failure.of(&name))?.into_iter().rev());
                        return Ok(Some((ready, (waiting, false))));
                    }
                    FolderItem::Folder(name) => ready.push(Entry { name, attributes: None }),
                }
            }
            Ok::<_, BucketError>((!ready.is_empty()).then_some((ready, (waiting, false))))
        });
        Box::pin(walk.flat_map(|batch| match batch {
            Ok(entries) => futures::stream::iter(entries.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => futures::stream::iter(vec![Err(error)]),
        }))
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        let (file, attributes) = self.on_disk(name, Root::open).await?;
        let owned = name.to_owned();
        let size = attributes.size;
        let body = pieces(Arc::new(file), 0, size)
            .map(move |piece| piece.map_err(|error| Failure::of_read(error, &owned, 0, size)));
        Ok(Get { attributes, body: Box::pin(body) })
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.on_disk(name, move |root, name| {
            let (file, Attributes { size, .. }) = root.open(name)?;
            if offset >= size {
                return Err(Failure::OutOfRange { offset, size });
            }
            let length = length.min(size - offset);
            read_at(&file, offset, length).map_err(|error| Failure::Read { error, offset, length })
        })
        .await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.on_disk(name, Root::attributes).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        check_name(name)?;
        let mut target = self.on_disk(name, Root::begin).await?;
        let source = |source| BucketError::Source { name: name.to_owned(), source };
        let mut pieces = body.open();
        let mut written: u64 = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(source)?;
            written = written.saturating_add(piece.len() as u64);
            target = self
                .on_disk(name, move |_, _| {
                    target.write(&piece)?;
                    Ok(target)
                })
                .await?;
        }
        if written != body.size() {
            return Err(source(wrong_size(body.size(), written)));
        }
        self.on_disk(name, move |_, name| Root::finish(target, name, put)).await?;
        Ok(Written { etag: None })
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.on_disk(name, Root::remove).await
    }
}

impl fmt::Debug for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filesystem({})", self.name)
    }
}
