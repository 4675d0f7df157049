//! A bucket whose every operation ends: each has a time that grows with the bytes it carries.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use tokio::time::Instant;

use crate::read::ByteStream;
use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

/// How long operations may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// An answer without a body; also the longest pause within a body.
    pub answer: Duration,
    /// The next entries of a listing; a shallow one comes all at once.
    pub listing: Duration,
    /// Bodies get a second more for so many bytes.
    pub bytes_per_second: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            listing: Duration::from_secs(120),
            bytes_per_second: 64 << 10,
        }
    }
}

impl Deadlines {
    fn carrying(&self, bytes: u64) -> Duration {
        let seconds = bytes.checked_div(self.bytes_per_second).unwrap_or(0);
        self.answer.saturating_add(Duration::from_secs(seconds))
    }
}

/// Ends operations at their deadlines with [`BucketError::Timeout`]; whether a write was done is unknown then.
#[derive(Debug)]
pub struct Timeout {
    inner: BucketRef,
    deadlines: Deadlines,
}

impl Timeout {
    /// Wraps a bucket.
    pub const fn new(inner: BucketRef, deadlines: Deadlines) -> Self {
        Self { inner, deadlines }
    }
}

async fn within<T>(
    name: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, BucketError>>,
) -> Result<T, BucketError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(BucketError::Timeout { name: name.to_owned(), limit }),
    }
}

#[async_trait]
impl Bucket for Timeout {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let limit = self.deadlines.listing;
        let start = Some((self.inner.list(folder, listing), folder.to_owned()));
        Box::pin(futures::stream::unfold(start, move |state| async move {
            let (mut entries, folder) = state?;
            match tokio::time::timeout(limit, entries.next()).await {
                Ok(next) => next.map(|entry| (entry, Some((entries, folder)))),
                Err(_) => Some((Err(BucketError::Timeout { name: folder, limit }), None)),
            }
        }))
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        let pause = self.deadlines.answer;
        let Get { attributes, body } = within(name, pause, self.inner.get(name)).await?;
        let limit = self.deadlines.carrying(attributes.size);
        let end = Instant::now() + limit;
        let start = Some((body, name.to_owned()));
        let body: ByteStream = Box::pin(futures::stream::unfold(start, move |state| async move {
            let (mut body, name) = state?;
            let until = end.min(Instant::now() + pause);
            match tokio::time::timeout_at(until, body.next()).await {
                Ok(next) => next.map(|piece| (piece, Some((body, name)))),
                Err(_) => {
                    let limit = if until == end { limit } else { pause };
                    Some((Err(BucketError::Timeout { name, limit }), None))
                }
            }
        }));
        Ok(Get { attributes, body })
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        // A length without end is that of an object whose size nobody has told.
        let expected = if length > i64::MAX as u64 { 1 << 30 } else { length };
        let limit = self.deadlines.carrying(expected);
        within(name, limit, self.inner.get_range(name, offset, length)).await
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        within(name, self.deadlines.answer, self.inner.exists(name)).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        within(name, self.deadlines.answer, self.inner.attributes(name)).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        let limit = self.deadlines.carrying(body.size());
        within(name, limit, self.inner.put(name, body, put)).await
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        within(name, self.deadlines.answer, self.inner.delete(name)).await
    }
}
