//! A bucket below a folder of another, as the `prefix` of `objstore.config` has it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};

use crate::name::{check_name, folder_prefix};
use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

/// Puts `prefix/` before every name. Errors speak of the name in the bucket below.
#[derive(Debug)]
pub struct Prefix {
    inner: BucketRef,
    /// With a slash at its end.
    prefix: String,
}

impl Prefix {
    /// The bucket below this prefix. Slashes at both ends do not count; a prefix of slashes alone is none, and gives `inner`.
    ///
    /// # Errors
    /// [`BucketError::InvalidName`] when no object can have such a prefix.
    pub fn wrap(inner: BucketRef, prefix: &str) -> Result<BucketRef, BucketError> {
        let trimmed = prefix.trim_matches('/');
        if trimmed.is_empty() {
            return Ok(inner);
        }
        check_name(trimmed)?;
        Ok(Arc::new(Self { inner, prefix: format!("{trimmed}/") }))
    }

    fn full(&self, name: &str) -> Result<String, BucketError> {
        check_name(name)?;
        Ok(format!("{}{name}", self.prefix))
    }
}

#[async_trait]
impl Bucket for Prefix {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let full = match folder_prefix(folder) {
            Ok(below) => format!("{}{below}", self.prefix),
            Err(error) => return Box::pin(futures::stream::iter([Err(error)])),
        };
        let entries = self.inner.list(&full, listing).map(|entry| {
            let entry = entry?;
            let name = entry.name.strip_prefix(&self.prefix).unwrap_or(&entry.name).to_owned();
            Ok(Entry { name, ..entry })
        });
        Box::pin(entries)
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        self.inner.get(&self.full(name)?).await
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.inner.get_range(&self.full(name)?, offset, length).await
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        self.inner.exists(&self.full(name)?).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.inner.attributes(&self.full(name)?).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        self.inner.put(&self.full(name)?, body, put).await
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.inner.delete(&self.full(name)?).await
    }
}
