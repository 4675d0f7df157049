//! A bucket in memory: for tests, simulations, and whatever needs no disk.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};
use prom_model::Clock;

use crate::name::{check_name, folder_prefix};
use crate::{Attributes, Body, Bucket, BucketError, Entry, Get, Listing, Put, Written};

/// Objects in memory; all writes are atomic, and every reader sees all that was written before.
pub struct Memory {
    name: String,
    clock: Arc<dyn Clock>,
    objects: Mutex<Objects>,
}

#[derive(Default)]
struct Objects {
    by_name: BTreeMap<String, Object>,
    versions: u64,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    attributes: Attributes,
}

impl Memory {
    /// An empty bucket; objects get their times from `clock`.
    pub fn new(name: &str, clock: Arc<dyn Clock>) -> Self {
        Self { name: format!("memory://{name}"), clock, objects: Mutex::default() }
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Result<Object, BucketError> {
        check_name(name)?;
        let found = self.objects().by_name.get(name).cloned();
        found.ok_or_else(|| BucketError::NotFound { name: name.to_owned() })
    }

    fn entries(&self, folder: &str, listing: Listing) -> Result<Vec<Entry>, BucketError> {
        let prefix = folder_prefix(folder)?;
        let objects = self.objects();
        let objects = objects
            .by_name
            .range(prefix.as_ref().to_owned()..)
            .take_while(|(name, _)| name.starts_with(prefix.as_ref()))
            .map(|(name, object)| (name.as_str(), object.attributes));
        Ok(below(objects, &prefix, listing))
    }
}

/// What a listing shows of objects whose sorted names all begin with `prefix`.
pub(crate) fn below<'a>(
    objects: impl Iterator<Item = (&'a str, Attributes)>,
    prefix: &str,
    listing: Listing,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (name, attributes) in objects {
        let rest = name.get(prefix.len()..).unwrap_or_default();
        let folder = match listing {
            Listing::Recursive => None,
            Listing::Shallow => rest.find('/').and_then(|slash| name.get(..=prefix.len() + slash)),
        };
        match folder {
            None => entries.push(Entry { name: name.to_owned(), attributes: Some(attributes) }),
            Some(folder) if entries.last().is_some_and(|last| last.name == folder) => {}
            Some(folder) => entries.push(Entry { name: folder.to_owned(), attributes: None }),
        }
    }
    entries
}

#[async_trait]
impl Bucket for Memory {
    fn name(&self) -> &str {
        &self.name
    }

    fn creates_atomically(&self) -> bool {
        true
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let folder = folder.to_owned();
        let entries = async move {
            match self.entries(&folder, listing) {
                Ok(entries) => futures::stream::iter(entries.into_iter().map(Ok)).left_stream(),
                Err(error) => futures::stream::iter([Err(error)]).right_stream(),
            }
        };
        Box::pin(futures::FutureExt::flatten_stream(entries))
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        let Object { bytes, attributes } = self.find(name)?;
        Ok(Get { attributes, body: Box::pin(futures::stream::iter([Ok(bytes)])) })
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        let object = self.find(name)?;
        let size = object.attributes.size;
        if offset >= size {
            return Err(BucketError::OutOfRange { name: name.to_owned(), offset, size });
        }
        let end = offset.saturating_add(length).min(size);
        // Both are at most the length of what is in memory.
        Ok(object.bytes.slice(offset as usize..end as usize))
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        Ok(self.find(name)?.attributes)
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        check_name(name)?;
        let bytes = read_body(name, body.as_ref()).await?;
        let modified = self.clock.now();
        let mut objects = self.objects();
        if put == Put::Create && objects.by_name.contains_key(name) {
            return Err(BucketError::AlreadyExists { name: name.to_owned() });
        }
        objects.versions += 1;
        let etag = Some(objects.versions.to_string());
        let attributes = Attributes { size: bytes.len() as u64, modified };
        objects.by_name.insert(name.to_owned(), Object { bytes, attributes });
        Ok(Written { etag })
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        check_name(name)?;
        let removed = self.objects().by_name.remove(name);
        removed.map(drop).ok_or_else(|| BucketError::NotFound { name: name.to_owned() })
    }
}

/// Reads a body into memory and holds it to its size.
pub(crate) async fn read_body(name: &str, body: &dyn Body) -> Result<Bytes, BucketError> {
    let failed = |source| BucketError::Source { name: name.to_owned(), source };
    let mut pieces = body.open();
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece.map_err(failed)?);
    }
    if all.len() as u64 != body.size() {
        return Err(failed(wrong_size(body.size(), all.len() as u64)));
    }
    Ok(all.freeze())
}

/// A source that has another number of bytes than it said.
pub(crate) fn wrong_size(announced: u64, found: u64) -> std::io::Error {
    let text = format!("{announced} bytes were announced, {found} came");
    std::io::Error::new(std::io::ErrorKind::InvalidData, text)
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({})", self.name)
    }
}
