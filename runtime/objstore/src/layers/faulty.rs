//! A bucket that fails as buckets do, at the calls that a script names, so that every caller can be tried against it.

mod fault;
mod listing;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};

pub use self::fault::{Call, Fault, Operation, Script};
use self::listing::Change;
use crate::chance::Chance;
use crate::name::check_name;
use crate::read::ByteStream;
use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

/// Why a call failed: because the script says so.
#[derive(Debug, thiserror::Error)]
#[error("injected: call {number} {fault}")]
struct Injected {
    number: u64,
    fault: &'static str,
}

/// Numbers every call from 1 on and does to it what the script says. The log of two runs with the same calls is the same.
pub struct Faulty {
    inner: BucketRef,
    script: Script,
    page: usize,
    slowness: Duration,
    crashed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    log: Vec<Call>,
    /// The last changes, the newest last; a stale listing does not know them.
    changes: Vec<Change>,
}

/// A call that has its number and its fate.
struct Fate {
    number: u64,
    fault: Option<Fault>,
    chance: Chance,
}

impl Faulty {
    /// Wraps a bucket.
    pub fn new(inner: BucketRef, script: Script) -> Self {
        Self {
            inner,
            script,
            page: 1000,
            slowness: Duration::from_secs(30),
            crashed: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// How many entries a page of a listing has: what gets lost or comes twice. 1,000 by default.
    pub fn with_page(mut self, entries: usize) -> Self {
        self.page = entries.max(1);
        self
    }

    /// How much later a slow answer comes. 30 s by default.
    pub const fn with_slowness(mut self, slowness: Duration) -> Self {
        self.slowness = slowness;
        self
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.state().log.len() as u64
    }

    /// All calls and what was done to them.
    pub fn log(&self) -> Vec<Call> {
        self.state().log.clone()
    }

    /// Whether a call crashed; since then, every call fails, and nothing reaches the bucket below.
    pub fn has_crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a call its number, and does what is to be done before it.
    async fn begin(&self, operation: Operation, name: &str) -> Result<Fate, BucketError> {
        let fate = {
            let mut state = self.state();
            let number = state.log.len() as u64 + 1;
            let (fault, chance) = match self.has_crashed() {
                true => (Some(Fault::CrashBefore), Chance::from_seed(0)),
                false => self.script.fate(number, operation),
            };
            state.log.push(Call { number, operation, name: name.to_owned(), fault });
            Fate { number, fault, chance }
        };
        match fate.fault {
            Some(Fault::CrashBefore) => {
                self.crashed.store(true, Ordering::SeqCst);
                Err(fate.unavailable(name))
            }
            Some(Fault::FailBefore) => Err(fate.unavailable(name)),
            Some(Fault::Throttle) => Err(BucketError::Throttled {
                name: name.to_owned(),
                retry_after: Some(Duration::from_secs(1)),
                source: Box::new(fate.injected()),
            }),
            Some(Fault::Missing) => Err(BucketError::NotFound { name: name.to_owned() }),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Slow) => {
                tokio::time::sleep(self.slowness).await;
                Ok(fate)
            }
            _ => Ok(fate),
        }
    }

    /// Does what is to be done after a call that has had its effect.
    fn end<T>(&self, fate: &Fate, name: &str, done: Result<T, BucketError>) -> Result<T, BucketError> {
        match fate.fault {
            Some(Fault::CrashAfter) => {
                self.crashed.store(true, Ordering::SeqCst);
                Err(fate.unavailable(name))
            }
            Some(Fault::AppliedThenError) => done.and_then(|_| Err(fate.unavailable(name))),
            _ => done,
        }
    }

    /// Remembers how an object was before it is changed.
    async fn before_change(&self, name: &str) {
        let before = self.inner.attributes(name).await.ok();
        self.state().changes.push(Change { name: name.to_owned(), before });
    }
}

impl Fate {
    fn injected(&self) -> Injected {
        Injected { number: self.number, fault: self.fault.map_or("nothing", Fault::as_str) }
    }

    fn unavailable(&self, name: &str) -> BucketError {
        BucketError::Unavailable { name: name.to_owned(), source: Box::new(self.injected()) }
    }

    /// The bytes as they arrive, and whether the reader is told that they are not all.
    fn spoil(&mut self, bytes: Bytes) -> (Bytes, bool) {
        let length = bytes.len() as u64;
        match self.fault {
            Some(Fault::ShortBody | Fault::SilentlyShort) if length > 0 => {
                let kept = self.chance.below(length) as usize;
                (bytes.slice(..kept), self.fault == Some(Fault::ShortBody))
            }
            Some(Fault::ExtraBytes) => {
                let mut longer = BytesMut::from(bytes);
                for _ in 0..=self.chance.below(16) {
                    longer.extend_from_slice(&[self.chance.next_u64() as u8]);
                }
                (longer.freeze(), false)
            }
            Some(Fault::BitFlip) if length > 0 => {
                let bit = self.chance.below(length.saturating_mul(8));
                let mut flipped = BytesMut::from(bytes);
                if let Some(byte) = flipped.get_mut((bit / 8) as usize) {
                    *byte ^= 1 << (bit % 8);
                }
                (flipped.freeze(), false)
            }
            _ => (bytes, false),
        }
    }

    const fn spoils_bytes(&self) -> bool {
        matches!(
            self.fault,
            Some(Fault::ShortBody | Fault::SilentlyShort | Fault::ExtraBytes | Fault::BitFlip)
        )
    }
}

#[async_trait]
impl Bucket for Faulty {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let folder = folder.to_owned();
        let entries = async move {
            let mut fate = match self.begin(Operation::List, &folder).await {
                Ok(fate) => fate,
                Err(error) => return futures::stream::iter([Err(error)]).left_stream(),
            };
            let entries = self.faulty_list(&mut fate, &folder, listing).await;
            futures::stream::iter(entries).right_stream()
        };
        Box::pin(futures::FutureExt::flatten_stream(entries))
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        let mut fate = self.begin(Operation::Get, name).await?;
        let got = self.inner.get(name).await;
        let Get { attributes, body } = self.end(&fate, name, got)?;
        if !fate.spoils_bytes() {
            return Ok(Get { attributes, body });
        }
        let bytes = crate::read::collect(name, attributes.size, body).await?;
        let (bytes, told) = fate.spoil(bytes);
        let short = told.then(|| {
            Err(BucketError::ShortRead {
                name: name.to_owned(),
                offset: 0,
                expected: attributes.size,
                got: bytes.len() as u64,
            })
        });
        let body: ByteStream = Box::pin(futures::stream::iter([Ok(bytes)].into_iter().chain(short)));
        Ok(Get { attributes, body })
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        let mut fate = self.begin(Operation::GetRange, name).await?;
        let got = self.inner.get_range(name, offset, length).await;
        let bytes = self.end(&fate, name, got)?;
        let expected = bytes.len() as u64;
        match fate.spoil(bytes) {
            (bytes, false) => Ok(bytes),
            (bytes, true) => {
                let got = bytes.len() as u64;
                Err(BucketError::ShortRead { name: name.to_owned(), offset, expected, got })
            }
        }
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        let fate = match self.begin(Operation::Exists, name).await {
            Ok(fate) => fate,
            Err(BucketError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let there = self.inner.exists(name).await;
        self.end(&fate, name, there)
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        let fate = self.begin(Operation::Attributes, name).await?;
        let attributes = self.inner.attributes(name).await;
        self.end(&fate, name, attributes)
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        check_name(name)?;
        let fate = self.begin(Operation::Put, name).await?;
        if fate.fault == Some(Fault::Conflict) && put == Put::Create {
            return Err(BucketError::AlreadyExists { name: name.to_owned() });
        }
        self.before_change(name).await;
        let written = self.inner.put(name, body, put).await;
        self.end(&fate, name, written)
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        check_name(name)?;
        let fate = self.begin(Operation::Delete, name).await?;
        self.before_change(name).await;
        let deleted = self.inner.delete(name).await;
        self.end(&fate, name, deleted)
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({:?}, {:?})", self.inner, self.script)
    }
}
