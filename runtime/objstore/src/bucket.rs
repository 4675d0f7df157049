//! The contract of a bucket; `acceptance` holds every implementation and every layer to it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use prom_model::TimestampMs;

use crate::BucketError;

/// A bucket that several owners share.
pub type BucketRef = Arc<dyn Bucket>;

/// How deep a listing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Objects and folders directly below.
    Shallow,
    /// Every object below, no folders.
    Recursive,
}

/// One name in a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The whole name from the root of the bucket; a folder's ends with `/`.
    pub name: String,
    /// What the listing says of the object; `None` for folders.
    pub attributes: Option<Attributes>,
}

impl Entry {
    /// Whether this stands for all objects below the name.
    pub fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attributes {
    /// Bytes.
    pub size: u64,
    /// When it was last written, by the clock of the store.
    pub modified: TimestampMs,
}

/// An object that is being read.
pub struct Get {
    /// Size and time of the object.
    pub attributes: Attributes,
    /// Its bytes. A stream that ends before `attributes.size` bytes ends with [`BucketError::ShortRead`].
    pub body: BoxStream<'static, Result<Bytes, BucketError>>,
}

/// What is to be written. It can be read several times, because a failed attempt is followed by another.
pub trait Body: Debug + Send + Sync {
    /// Bytes in all; known beforehand, so that large bodies are sent in parts of a good size.
    fn size(&self) -> u64;
    /// The bytes from the start, in pieces of at most a few MiB.
    fn open(&self) -> BoxStream<'static, std::io::Result<Bytes>>;
}

/// How an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Put {
    /// Whatever is there is replaced.
    #[default]
    Replace,
    /// Only if there is nothing of that name: [`BucketError::AlreadyExists`] otherwise, and
    /// [`BucketError::NotSupported`] where the store cannot tell ([`Bucket::creates_atomically`]).
    Create,
}

/// What a store says of an object that it has taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// The store's tag of this version, where it gives one.
    pub etag: Option<String>,
}

/// A flat set of named objects. Names are separated by `/`, never begin with one, and contain no empty, `.` or `..` part;
/// other names are [`BucketError::InvalidName`].
#[async_trait]
pub trait Bucket: Debug + Send + Sync + 'static {
    /// The name for messages and metrics, as in `s3://metrics`; holds no secret.
    fn name(&self) -> &str;

    /// Whether [`Put::Create`] is atomic here, as far as is known; a self-test at the start finds out.
    fn creates_atomically(&self) -> bool;

    /// The names below a folder, `""` for the root, with or without a `/` at its end. The order is the store's; it is sorted
    /// for every store that is built in. A folder that is not there is empty.
    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>>;

    /// Reads an object.
    async fn get(&self, name: &str) -> Result<Get, BucketError>;

    /// Reads `length` bytes from `offset` on; fewer only where the object ends before.
    ///
    /// An answer that is shorter than what the store announced is [`BucketError::ShortRead`], never data. An offset at or
    /// behind the end of the object is [`BucketError::OutOfRange`].
    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError>;

    /// Whether an object of exactly this name is there.
    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        match self.attributes(name).await {
            Ok(_) => Ok(true),
            Err(BucketError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Size and time of an object.
    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError>;

    /// Writes an object; it is visible whole or not at all. An error does not mean that nothing was written.
    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError>;

    /// Removes an object; one that is not there is [`BucketError::NotFound`] where the store tells, and fine where it
    /// does not.
    async fn delete(&self, name: &str) -> Result<(), BucketError>;
}

/// A body in memory.
impl Body for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn open(&self) -> BoxStream<'static, std::io::Result<Bytes>> {
        Box::pin(futures::stream::iter([Ok(self.clone())]))
    }
}

impl Debug for Get {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Get").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}
