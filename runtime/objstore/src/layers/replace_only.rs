//! A bucket whose store cannot write under a condition, although its client thinks so.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

/// Refuses [`Put::Create`]; for stores of which the self-test found that they ignore the condition.
#[derive(Debug)]
pub struct ReplaceOnly(pub BucketRef);

#[async_trait]
impl Bucket for ReplaceOnly {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn creates_atomically(&self) -> bool {
        false
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        self.0.list(folder, listing)
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        self.0.get(name).await
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.0.get_range(name, offset, length).await
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        self.0.exists(name).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.0.attributes(name).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        crate::name::check_name(name)?;
        match put {
            Put::Replace => self.0.put(name, body, put).await,
            Put::Create => Err(BucketError::NotSupported {
                bucket: self.0.name().to_owned(),
                what: "a write that replaces nothing",
            }),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.0.delete(name).await
    }
}
