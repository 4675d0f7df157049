//! Blocks as sources: read out of the bucket by ranges, as a merge needs them, without being downloaded.
//!
//! A merge reads each file of a source from its start to its end, an index at up to three places at once. So what is read is a
//! few windows that move on, the next ones on their way while one is used. Readers are synchronous: they have to
//! run on a thread that may wait.

mod windows;

use std::collections::BTreeSet;
use std::sync::Arc;

use block::{BlockId, Meta, layout};
use error_kind::{ErrorKind, Kind};
use futures::{StreamExt, TryStreamExt};
use objstore::{Attributes, BucketError, BucketRef, Listing};
use tokio::runtime::Handle;
use tsdb::Corruption;
use tsdb::block::{BlockReader, CHUNKS_FOLDER, INDEX_FILE, TOMBSTONES_FILE, segment_name};
use tsdb::stored::StoredFile;

use self::windows::{ObjectRead, Windows};

/// How many calls ask for sizes at once.
const ASKED_AT_ONCE: usize = 8;

/// A block of the bucket that is open.
#[derive(Debug)]
pub struct OpenSource {
    /// The block, for a thread that may wait for the bucket. It is opened to be scanned: finding single lists is slow.
    pub block: BlockReader,
    /// Its files in the bucket.
    pub files: SourceFiles,
}

/// The files of a block that is open; clones are the same.
#[derive(Debug, Clone)]
pub struct SourceFiles {
    bucket: BucketRef,
    windows: Arc<Windows>,
    attributes: Vec<(String, Attributes)>,
}

/// Why a block of the bucket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store's answer.
    #[error("block {block}: the bucket failed")]
    Bucket {
        /// The block.
        block: BlockId,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// A file is not what meta.json says, or is not there.
    #[error("{path} of block {block} is not as meta.json says: {difference}")]
    NotAsDescribed {
        /// The block.
        block: BlockId,
        /// The file.
        path: String,
        /// In what it differs.
        difference: String,
    },
    /// The block is damaged; or, where [`Kind`] says so, it could not be read.
    #[error("block {block}")]
    Damaged {
        /// The block.
        block: BlockId,
        /// What is wrong.
        #[source]
        source: Corruption,
    },
}

impl Kind for OpenError {
    fn kind(&self) -> ErrorKind {
        match self {
            OpenError::Bucket { source, .. } => source.kind(),
            OpenError::NotAsDescribed { .. } => ErrorKind::Corrupt,
            OpenError::Damaged { source, .. } => source.kind(),
        }
    }
}

impl OpenSource {
    /// Opens a block: looks at the size of every file, compares it with meta.json, and reads through the symbols and the
    /// postings offset table. About `memory_bytes` (at least a megabyte) are held for what is read ahead.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(bucket: &BucketRef, meta: &Meta, memory_bytes: u64) -> Result<Self, OpenError> {
        let block = meta.block.ulid;
        let failed = |source| OpenError::Bucket { block, source };
        let mut listed: BTreeSet<String> = BTreeSet::new();
        let mut entries = bucket.list(&layout::folder(block), Listing::Recursive);
        while let Some(entry) = entries.try_next().await.map_err(failed)? {
            listed.extend(layout::block_of(&entry.name).map(|(_, path)| path.to_owned()));
        }
        drop(entries);
        listed.retain(|path| path == INDEX_FILE || path == TOMBSTONES_FILE || is_segment(path));
        // A listing may be older than an object: what is not in it is asked for before it is said not to be there.
        let described = meta.thanos.files.iter().map(|file| file.rel_path.as_str());
        let expected = described.filter(|path| is_segment(path)).chain([INDEX_FILE]);
        let names: BTreeSet<&str> = listed.iter().map(String::as_str).chain(expected).collect();
        let asked = names.into_iter().map(|path| async {
            match bucket.attributes(&layout::object(block, path)).await {
                Ok(attributes) => Ok(Some((path.to_owned(), attributes))),
                Err(BucketError::NotFound { .. }) if !listed.contains(path) => Ok(None),
                Err(source) => Err(failed(source)),
            }
        });
        let asked = futures::stream::iter(asked).buffered(ASKED_AT_ONCE);
        let attributes: Vec<Option<(String, Attributes)>> = asked.try_collect().await?;
        let attributes: Vec<(String, Attributes)> = attributes.into_iter().flatten().collect();
        compare(meta, &attributes)?;
        let windows = Arc::new(Windows::new(Arc::clone(bucket), Handle::current(), memory_bytes));
        let stored = |path: &str| {
            let (_, attributes) = attributes.iter().find(|(known, _)| known == path)?;
            let name = layout::object(block, path);
            let read = ObjectRead::new(Arc::clone(&windows), name, attributes.size);
            Some(StoredFile::new(path, Arc::new(read)))
        };
        let missing = |path: &str| OpenError::NotAsDescribed {
            block,
            path: path.to_owned(),
            difference: "it is not there".to_owned(),
        };
        let index = stored(INDEX_FILE).ok_or_else(|| missing(INDEX_FILE))?;
        let count = attributes.iter().filter(|(path, _)| is_segment(path)).count();
        let mut segments = Vec::with_capacity(count);
        for name in (0..count as u32).map(segment_name) {
            segments.push(stored(&name).ok_or_else(|| missing(&name))?);
        }
        let tombstones = stored(TOMBSTONES_FILE);
        let description = meta.block.clone();
        let opened = tokio::task::spawn_blocking(move || {
            BlockReader::from_files_to_scan(description, index, segments, tombstones.as_ref())
        });
        let opened = opened.await.map_err(|stopped| {
            failed(BucketError::Unavailable { name: layout::folder(block), source: stopped.into() })
        })?;
        let reader = opened.map_err(|source| match windows.failure() {
            // What the bucket said says more than that the file cannot be read.
            Some(source) => failed(source),
            None => OpenError::Damaged { block, source },
        })?;
        let files = SourceFiles { bucket: Arc::clone(bucket), windows, attributes };
        let files = files.named(block);
        Ok(OpenSource { block: reader, files })
    }
}

impl SourceFiles {
    /// With the names that the objects have in the bucket.
    fn named(mut self, block: BlockId) -> Self {
        for (name, _) in &mut self.attributes {
            *name = layout::object(block, name);
        }
        self
    }

    /// What the bucket said where reading failed; a reader can only say that it could not read. Given once.
    pub fn failure(&self) -> Option<BucketError> {
        self.windows.failure()
    }

    /// Looks whether all files are what they were when the block was opened.
    ///
    /// # Errors
    /// [`BucketError::Changed`] and [`BucketError::NotFound`] where one is not; whatever else the store says.
    pub async fn confirm(&self) -> Result<(), BucketError> {
        let asked = self.attributes.iter().map(|(name, known)| async move {
            match self.bucket.attributes(name).await? {
                found if found == *known => Ok(()),
                _ => Err(BucketError::Changed { name: name.clone() }),
            }
        });
        futures::stream::iter(asked).buffered(ASKED_AT_ONCE).try_collect().await
    }
}

fn is_segment(path: &str) -> bool {
    let number = path.strip_prefix(CHUNKS_FOLDER).and_then(|rest| rest.strip_prefix('/'));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Compares what is there with what meta.json says is there; it may say nothing.
fn compare(meta: &Meta, found: &[(String, Attributes)]) -> Result<(), OpenError> {
    let block = meta.block.ulid;
    let described = meta.thanos.files.iter().filter(|file| file.rel_path != layout::META);
    for file in described {
        let path = file.rel_path.clone();
        let size = found.iter().find(|(known, _)| *known == path).map(|(_, attributes)| attributes.size);
        let difference = match size {
            None if path == INDEX_FILE || is_segment(&path) => "it is not there".to_owned(),
            Some(size) if file.size_bytes > 0 && file.size_bytes != size => {
                format!("{size} bytes instead of {}", file.size_bytes)
            }
            _ => continue,
        };
        return Err(OpenError::NotAsDescribed { block, path, difference });
    }
    Ok(())
}
