//! A bucket that answers as late as one far away does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{BoxStream, StreamExt};

use crate::chance::Chance;
use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

/// Waits before every answer: a fixed time, a random part on top, and a time for each byte that is carried.
#[derive(Debug)]
pub struct Latency {
    inner: BucketRef,
    first_byte: Duration,
    jitter: Duration,
    bytes_per_second: u64,
    chance: Mutex<Chance>,
}

impl Latency {
    /// Wraps a bucket. `bytes_per_second` 0 means that bytes take no time.
    pub fn new(
        inner: BucketRef,
        first_byte: Duration,
        jitter: Duration,
        bytes_per_second: u64,
        chance: Chance,
    ) -> Self {
        Self { inner, first_byte, jitter, bytes_per_second, chance: Mutex::new(chance) }
    }

    async fn first_byte(&self) {
        let jitter = self.chance.lock().unwrap_or_else(PoisonError::into_inner).up_to(self.jitter);
        tokio::time::sleep(self.first_byte.saturating_add(jitter)).await;
    }

    fn carrying(bytes: u64, per_second: u64) -> Duration {
        match per_second {
            0 => Duration::ZERO,
            rate => Duration::from_nanos(
                u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX),
            ),
        }
    }
}

#[async_trait]
impl Bucket for Latency {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let folder = folder.to_owned();
        let entries = async move {
            self.first_byte().await;
            self.inner.list(&folder, listing)
        };
        Box::pin(entries.flatten_stream())
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        self.first_byte().await;
        let Get { attributes, body } = self.inner.get(name).await?;
        let rate = self.bytes_per_second;
        let body = body.then(move |piece| async move {
            if let Ok(piece) = &piece {
                tokio::time::sleep(Self::carrying(piece.len() as u64, rate)).await;
            }
            piece
        });
        Ok(Get { attributes, body: Box::pin(body) })
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.first_byte().await;
        let bytes = self.inner.get_range(name, offset, length).await?;
        tokio::time::sleep(Self::carrying(bytes.len() as u64, self.bytes_per_second)).await;
        Ok(bytes)
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        self.first_byte().await;
        self.inner.exists(name).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.first_byte().await;
        self.inner.attributes(name).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        self.first_byte().await;
        tokio::time::sleep(Self::carrying(body.size(), self.bytes_per_second)).await;
        self.inner.put(name, body, put).await
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.first_byte().await;
        self.inner.delete(name).await
    }
}
