//! A bucket that tries again: only what may work, only as often as its budget allows, and never so that a write is done twice.

mod budget;

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use tokio::time::Instant;

use self::budget::Budget;
use crate::chance::Chance;
use crate::read::{ByteStream, exactly};
use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

/// What is fetched at once when a body goes on after a failure.
const PIECE: u64 = 4 << 20;

/// When to try again.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// How often an operation is tried, the first time included.
    pub attempts: u32,
    /// The pause before the second try; each further one is twice as long, and about half of it is chance.
    pub first_pause: Duration,
    /// No pause is longer, unless the store asks for it.
    pub longest_pause: Duration,
    /// No try begins later than this after the first.
    pub total: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 10,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(10),
            total: Duration::from_secs(180),
        }
    }
}

/// Tries again what failed for a reason that may go away, with pauses that grow and a budget for the whole bucket: an outage
/// multiplies the requests by three at most. A listing and a body go on where they broke off.
pub struct Retry {
    inner: BucketRef,
    shared: Arc<Shared>,
}

struct Shared {
    policy: RetryPolicy,
    budget: Mutex<Budget>,
    chance: Mutex<Chance>,
}

/// The tries of one operation.
struct Tries {
    shared: Arc<Shared>,
    made: u32,
    end: Instant,
}

impl Retry {
    /// Wraps a bucket.
    pub fn new(inner: BucketRef, policy: RetryPolicy, chance: Chance) -> Self {
        let (budget, chance) = (Mutex::default(), Mutex::new(chance));
        Self { inner, shared: Arc::new(Shared { policy, budget, chance }) }
    }

    fn tries(&self) -> Tries {
        self.shared.budget.lock().unwrap_or_else(PoisonError::into_inner).earn();
        Tries { shared: Arc::clone(&self.shared), made: 1, end: Instant::now() + self.shared.policy.total }
    }

    async fn again<T, F>(&self, mut work: impl FnMut() -> F) -> Result<T, BucketError>
    where
        F: Future<Output = Result<T, BucketError>>,
    {
        let mut tries = self.tries();
        loop {
            match work().await {
                Ok(done) => return Ok(done),
                Err(error) => tries.pause(error).await?,
            }
        }
    }

    /// Writes what must not be there yet. After a try whose outcome is unknown, only looking tells whether it was done.
    async fn create(&self, name: &str, body: Arc<dyn Body>) -> Result<Written, BucketError> {
        let mut tries = self.tries();
        let mut unknown = false;
        loop {
            let error = match self.inner.put(name, Arc::clone(&body), Put::Create).await {
                Ok(written) => return Ok(written),
                Err(error) => error,
            };
            match error {
                BucketError::AlreadyExists { .. } if unknown => {
                    return match self.again(|| self.holds(name, body.as_ref())).await? {
                        true => Ok(Written::default()),
                        false => Err(error),
                    };
                }
                // It was not taken at all.
                BucketError::Throttled { .. } => {}
                _ => unknown |= error.is_transient(),
            }
            tries.pause(error).await?;
        }
    }

    /// Whether the object is this body.
    async fn holds(&self, name: &str, body: &dyn Body) -> Result<bool, BucketError> {
        let found = match self.inner.get(name).await {
            Err(BucketError::NotFound { .. }) => return Ok(false),
            found => found?,
        };
        if found.attributes.size != body.size() {
            return Ok(false);
        }
        let found = crate::read::collect(name, found.attributes.size, found.body).await?;
        Ok(found == crate::memory::read_body(name, body).await?)
    }
}

impl Tries {
    /// Waits for the next try, or gives the error back when there is none.
    async fn pause(&mut self, error: BucketError) -> Result<(), BucketError> {
        let policy = &self.shared.policy;
        if !error.is_transient() || self.made >= policy.attempts {
            return Err(error);
        }
        let factor = 1_u32.checked_shl(self.made - 1).unwrap_or(u32::MAX);
        let longest = policy.first_pause.saturating_mul(factor).min(policy.longest_pause);
        let half = longest / 2;
        let mut pause = half + self.shared.chance.lock().unwrap_or_else(PoisonError::into_inner).up_to(half);
        if let BucketError::Throttled { retry_after: Some(wanted), .. } = &error {
            pause = pause.max(*wanted);
        }
        if Instant::now() + pause > self.end {
            return Err(error);
        }
        if !self.shared.budget.lock().unwrap_or_else(PoisonError::into_inner).spend() {
            tracing::warn!(error = %error, "the bucket fails so often that this operation is not tried again");
            return Err(error);
        }
        tracing::debug!(error = %error, attempt = self.made, ?pause, "an operation on the bucket is tried again");
        self.made += 1;
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Something came through: what fails from here on is another failure.
    fn progressed(&mut self) {
        if self.made > 1 {
            self.made = 1;
            self.end = Instant::now() + self.shared.policy.total;
        }
    }
}

/// The names that a listing has given. The order of a store is its own, so the last name alone would not tell; of each name,
/// two sums of 64 bits are kept.
#[derive(Default)]
struct Given(HashSet<(u64, u64)>);

impl Given {
    /// Whether the name was given before; from now on, it was.
    fn has(&mut self, name: &str) -> bool {
        let sum = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            hasher.write(name.as_bytes());
            hasher.finish()
        };
        !self.0.insert((sum(0), sum(1)))
    }
}

/// A body that is read on after failures.
struct Resumed {
    inner: BucketRef,
    name: String,
    first: Attributes,
    at: u64,
    /// The body as it came first; after a failure, the rest is fetched in pieces.
    body: Option<ByteStream>,
    tries: Tries,
}

impl Resumed {
    async fn next(&mut self) -> Option<Result<Bytes, BucketError>> {
        loop {
            let piece = match &mut self.body {
                Some(body) => match body.next().await {
                    None => return None,
                    Some(piece) => piece,
                },
                None if self.at >= self.first.size => return None,
                None => rest(self.inner.as_ref(), &self.name, self.first, self.at).await,
            };
            match piece {
                Ok(piece) => {
                    self.at = self.at.saturating_add(piece.len() as u64);
                    self.tries.progressed();
                    return Some(Ok(piece));
                }
                Err(error) => {
                    self.body = None;
                    if let Err(error) = self.tries.pause(error).await {
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}

/// The next piece behind `at`, if it is still the same object.
async fn rest(inner: &dyn Bucket, name: &str, first: Attributes, at: u64) -> Result<Bytes, BucketError> {
    let size = first.size;
    if inner.attributes(name).await? != first {
        return Err(BucketError::Changed { name: name.to_owned() });
    }
    let length = PIECE.min(size.saturating_sub(at));
    let piece = inner.get_range(name, at, length).await?;
    let got = piece.len() as u64;
    match got == length {
        true => Ok(piece),
        false => Err(BucketError::ShortRead { name: name.to_owned(), offset: at, expected: length, got }),
    }
}

#[async_trait]
impl Bucket for Retry {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let start = Some((self.inner.list(folder, listing), self.tries(), Given::default()));
        let folder = folder.to_owned();
        Box::pin(futures::stream::unfold(start, move |state| {
            let folder = folder.clone();
            async move {
                let (mut entries, mut tries, mut given) = state?;
                loop {
                    match entries.next().await {
                        None => return None,
                        Some(Ok(entry)) if given.has(&entry.name) => {}
                        Some(Ok(entry)) => {
                            tries.progressed();
                            return Some((Ok(entry), Some((entries, tries, given))));
                        }
                        Some(Err(error)) => match tries.pause(error).await {
                            Ok(()) => entries = self.inner.list(&folder, listing),
                            Err(error) => return Some((Err(error), None)),
                        },
                    }
                }
            }
        }))
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        let mut tries = self.tries();
        let Get { attributes, body } = loop {
            match self.inner.get(name).await {
                Ok(got) => break got,
                Err(error) => tries.pause(error).await?,
            }
        };
        let resumed = Resumed {
            inner: Arc::clone(&self.inner),
            name: name.to_owned(),
            first: attributes,
            at: 0,
            body: Some(exactly(name, 0, attributes.size, body)),
            tries,
        };
        let body: ByteStream = Box::pin(futures::stream::unfold(Some(resumed), |resumed| async move {
            let mut resumed = resumed?;
            match resumed.next().await? {
                Ok(piece) => Some((Ok(piece), Some(resumed))),
                Err(error) => Some((Err(error), None)),
            }
        }));
        Ok(Get { attributes, body })
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.again(|| self.inner.get_range(name, offset, length)).await
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        self.again(|| self.inner.exists(name)).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.again(|| self.inner.attributes(name)).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        match put {
            Put::Replace => self.again(|| self.inner.put(name, Arc::clone(&body), put)).await,
            Put::Create => self.create(name, body).await,
        }
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        let mut tries = self.tries();
        let mut unknown = false;
        loop {
            match self.inner.delete(name).await {
                Ok(()) => return Ok(()),
                // The try before this one has done it.
                Err(BucketError::NotFound { .. }) if unknown => return Ok(()),
                Err(error) => {
                    unknown |= error.is_transient();
                    tries.pause(error).await?;
                }
            }
        }
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Retry({:?})", self.inner)
    }
}
