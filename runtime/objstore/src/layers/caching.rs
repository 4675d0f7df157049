//! A bucket that remembers: attributes, what is there and what is not, small contents, listings.

mod memory;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, TryStreamExt};
use prom_model::Clock;

use self::memory::{Key, Remembered, Value};
use crate::name::check_name;
use crate::read::collect;
use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

/// How long to remember what, for the names that a rule is for. [`Duration::ZERO`] is not at all.
pub struct CacheRule {
    /// Which objects or folders; the first rule that applies is the one.
    pub applies: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// That an object is there, and its attributes.
    pub there: Duration,
    /// That an object is not there.
    pub missing: Duration,
    /// Contents.
    pub content: Duration,
    /// Larger objects are not kept.
    pub content_bytes_max: u64,
    /// What is in a folder.
    pub listing: Duration,
}

/// Answers from memory what was asked before. Writes through this bucket are seen at once, those of others after the times
/// of the rules. What is asked by many at the same time is asked once.
pub struct Caching {
    inner: BucketRef,
    clock: Arc<dyn Clock>,
    rules: Vec<CacheRule>,
    remembered: Mutex<Remembered>,
    /// Who is asking for what right now.
    asking: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
    /// Changes at every write, so that an answer from before it is not kept.
    writes: AtomicU64,
}

impl Caching {
    /// Wraps a bucket; no more than `bytes_max` are kept, the longest unused go first.
    pub fn new(inner: BucketRef, rules: Vec<CacheRule>, bytes_max: u64, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            clock,
            rules,
            remembered: Mutex::new(Remembered::new(bytes_max)),
            asking: Mutex::default(),
            writes: AtomicU64::new(0),
        }
    }

    /// Bytes that are kept now.
    pub fn bytes(&self) -> u64 {
        self.remembered().bytes()
    }

    fn rule(&self, name: &str) -> Option<&CacheRule> {
        self.rules.iter().find(|rule| (rule.applies)(name))
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &Key) -> Option<Value> {
        self.remembered().get(key, self.clock.now())
    }

    /// The value of a key from memory, or from `ask`, which says how long it is good for.
    async fn ask<F>(&self, key: Key, ask: impl FnOnce() -> F) -> Result<Value, BucketError>
    where
        F: Future<Output = Result<(Value, Duration), BucketError>>,
    {
        if let Some(value) = self.known(&key) {
            return Ok(value);
        }
        let turn = {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asking.entry(key.clone()).or_default())
        };
        let held = turn.lock().await;
        let answer = match self.known(&key) {
            Some(value) => Ok(value),
            None => {
                let before = self.writes.load(Ordering::SeqCst);
                let answer = ask().await;
                if let Ok((value, good_for)) = &answer
                    && !good_for.is_zero()
                {
                    let mut remembered = self.remembered();
                    if self.writes.load(Ordering::SeqCst) == before {
                        remembered.put(key.clone(), value.clone(), self.clock.now(), *good_for);
                    }
                }
                answer.map(|(value, _)| value)
            }
        };
        drop(held);
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        // Two: the map's and ours. Others who wait have their own.
        if asking.get(&key).is_some_and(|turn| Arc::strong_count(turn) <= 2) {
            asking.remove(&key);
        }
        answer
    }

    /// Forgets what a write makes wrong, before and after it.
    fn forget(&self, name: &str) {
        let mut remembered = self.remembered();
        self.writes.fetch_add(1, Ordering::SeqCst);
        remembered.forget(name);
    }

    async fn looked_up(&self, name: &str, rule: &CacheRule) -> Result<Option<Attributes>, BucketError> {
        let value = self
            .ask(Key::Attributes(name.to_owned()), || async {
                match self.inner.attributes(name).await {
                    Ok(attributes) => Ok((Value::There(attributes), rule.there)),
                    Err(BucketError::NotFound { .. }) => Ok((Value::Missing, rule.missing)),
                    Err(error) => Err(error),
                }
            })
            .await?;
        match value {
            Value::There(attributes) => Ok(Some(attributes)),
            _ => Ok(None),
        }
    }
}

fn missing(name: &str) -> BucketError {
    BucketError::NotFound { name: name.to_owned() }
}

#[async_trait]
impl Bucket for Caching {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let good_for = self.rule(folder).map(|rule| rule.listing).unwrap_or_default();
        if good_for.is_zero() {
            return self.inner.list(folder, listing);
        }
        let folder = folder.to_owned();
        let entries = async move {
            let key = Key::Listing(folder.clone(), listing == Listing::Recursive);
            let asked = self.ask(key, || async {
                let entries: Vec<Entry> = self.inner.list(&folder, listing).try_collect().await?;
                Ok((Value::Listing(entries.into()), good_for))
            });
            match asked.await {
                Ok(Value::Listing(entries)) => entries.iter().cloned().map(Ok).collect(),
                Ok(_) => Vec::new(),
                Err(error) => vec![Err(error)],
            }
        };
        Box::pin(futures::FutureExt::flatten_stream(async move { futures::stream::iter(entries.await) }))
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        let Some(rule) = self.rule(name).filter(|rule| !rule.content.is_zero()) else {
            return self.inner.get(name).await;
        };
        let value = self
            .ask(Key::Content(name.to_owned()), || async {
                let Get { attributes, body } = match self.inner.get(name).await {
                    Ok(got) => got,
                    Err(BucketError::NotFound { .. }) => return Ok((Value::Missing, rule.missing)),
                    Err(error) => return Err(error),
                };
                if attributes.size > rule.content_bytes_max {
                    return Ok((Value::TooLarge, rule.there));
                }
                let bytes = collect(name, attributes.size, body).await?;
                Ok((Value::Content(attributes, bytes), rule.content))
            })
            .await?;
        match value {
            Value::Content(attributes, bytes) => {
                Ok(Get { attributes, body: Box::pin(futures::stream::iter([Ok(bytes)])) })
            }
            Value::Missing => Err(missing(name)),
            _ => self.inner.get(name).await,
        }
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        match self.known(&Key::Content(name.to_owned())) {
            Some(Value::Content(Attributes { size, .. }, bytes)) => {
                if offset >= size {
                    return Err(BucketError::OutOfRange { name: name.to_owned(), offset, size });
                }
                let end = offset.saturating_add(length).min(size);
                // Both are at most the length of what is in memory.
                Ok(bytes.slice(offset as usize..end as usize))
            }
            Some(Value::Missing) => Err(missing(name)),
            _ => self.inner.get_range(name, offset, length).await,
        }
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        match self.rule(name) {
            Some(rule) => Ok(self.looked_up(name, rule).await?.is_some()),
            None => self.inner.exists(name).await,
        }
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        match self.rule(name) {
            Some(rule) => self.looked_up(name, rule).await?.ok_or_else(|| missing(name)),
            None => self.inner.attributes(name).await,
        }
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        check_name(name)?;
        self.forget(name);
        let written = self.inner.put(name, body, put).await;
        self.forget(name);
        written
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        check_name(name)?;
        self.forget(name);
        let deleted = self.inner.delete(name).await;
        self.forget(name);
        deleted
    }
}

impl fmt::Debug for Caching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caching({:?})", self.inner)
    }
}
