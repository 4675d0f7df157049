//! A bucket that asks a second time where an answer is late, and takes the answer that comes first.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, FuturesUnordered, StreamExt};
use tokio::time::Instant;

use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

/// Answers of which the times are kept, per size of what was asked for.
const KEPT: usize = 256;
/// Fewer say nothing about what is late.
const ENOUGH: usize = 20;
/// Sizes of what was asked for: each class is four times the one before; the last has everything above 16 MiB.
const CLASSES: usize = 13;

/// Sends a read again when its answer takes longer than most did. Writes and listings are sent once.
pub struct Hedged {
    inner: BucketRef,
    up_to: u32,
    quantile: f64,
    recent: [Mutex<VecDeque<Duration>>; CLASSES],
}

impl Hedged {
    /// Wraps a bucket: at most `up_to` requests for one answer, the next one whenever an answer is later than the part
    /// `quantile` of those before.
    pub fn new(inner: BucketRef, up_to: u32, quantile: f64) -> Self {
        Self { inner, up_to, quantile, recent: Default::default() }
    }

    async fn first<T, F>(&self, bytes: u64, ask: impl Fn() -> F) -> Result<T, BucketError>
    where
        F: Future<Output = Result<T, BucketError>>,
    {
        let began = Instant::now();
        let recent = self.recent.get(class(bytes));
        let late = recent
            .and_then(|recent| late(&recent.lock().unwrap_or_else(PoisonError::into_inner), self.quantile));
        let mut asked = 1;
        let mut running = FuturesUnordered::from_iter([ask()]);
        loop {
            let wait = async {
                match late {
                    Some(late) if asked < self.up_to => tokio::time::sleep(late).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(answer) = running.next() => match answer {
                    // One of several may be the one that fails; the others are waited for.
                    Err(error) if error.is_transient() && !running.is_empty() => {}
                    answer => {
                        if answer.is_ok() && let Some(recent) = recent {
                            let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
                            recent.truncate(KEPT - 1);
                            recent.push_front(began.elapsed());
                        }
                        return answer;
                    }
                },
                () = wait => {
                    asked += 1;
                    running.push(ask());
                }
            }
        }
    }
}

fn class(bytes: u64) -> usize {
    (bytes.checked_ilog(4).unwrap_or(0) as usize).min(CLASSES - 1)
}

/// The time that only few answers take.
fn late(recent: &VecDeque<Duration>, quantile: f64) -> Option<Duration> {
    if recent.len() < ENOUGH {
        return None;
    }
    let mut times: Vec<Duration> = recent.iter().copied().collect();
    times.sort_unstable();
    let place = (quantile.clamp(0.0, 1.0) * (times.len() - 1) as f64) as usize;
    times.get(place).copied()
}

#[async_trait]
impl Bucket for Hedged {
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
        self.first(0, || self.inner.get(name)).await
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.first(length, || self.inner.get_range(name, offset, length)).await
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        self.first(0, || self.inner.exists(name)).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.first(0, || self.inner.attributes(name)).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        self.inner.put(name, body, put).await
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.inner.delete(name).await
    }
}

impl fmt::Debug for Hedged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hedged({:?})", self.inner)
    }
}
