//! A compactor on a bucket: its heartbeat, which also tells the store's time, and the others' heartbeats.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt;
use objstore::{BucketError, BucketRef, Chance, Entry, Listing, Put};
use prom_model::{PromDuration, TimestampMs};

use super::error::EnterError;
use super::objects::{self, InstanceObject};

/// How leases are kept.
#[derive(Debug, Clone)]
pub struct LeaseConfig {
    /// What the compactor is called, as in the name of its host; chance is added to it.
    pub name: String,
    /// How long a lease holds when it is not renewed. Renewed every third of it; half of it more, and others take it.
    pub ttl: PromDuration,
}

impl LeaseConfig {
    /// Leases of five minutes.
    pub fn new(name: impl Into<String>) -> Self {
        LeaseConfig { name: name.into(), ttl: PromDuration::from_mins(5) }
    }
}

/// A compactor that has entered a bucket. Clones are the same.
#[derive(Debug, Clone)]
pub struct Leases(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) bucket: BucketRef,
    pub(super) instance: String,
    pub(super) ttl: PromDuration,
    /// Whether the store cannot create under a condition, so that there must be no other compactor.
    pub(super) alone: bool,
    /// How many leases were asked for.
    pub(super) numbers: AtomicU64,
    beats: Mutex<Beats>,
}

/// The heartbeats so far, by the store's clock.
#[derive(Debug, Clone, Copy)]
struct Beats {
    first: TimestampMs,
    last: TimestampMs,
}

/// Another compactor that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenInstance {
    /// What it is called.
    pub instance: String,
    /// Since when, in milliseconds by the store's clock.
    pub since: i64,
    /// How long ago its last heartbeat was.
    pub silent: PromDuration,
    /// Whether it relies on being alone.
    pub alone: bool,
}

impl Leases {
    /// Enters a bucket. `chance` makes the name of this process different from that of all others.
    ///
    /// Whether leases can be had is what [`Bucket::creates_atomically`](objstore::Bucket::creates_atomically) says: wrap a
    /// bucket of which the self-test found otherwise into [`ReplaceOnly`](objstore::layers::ReplaceOnly).
    ///
    /// # Errors
    /// [`EnterError::NotAlone`] where leases cannot be had, by this compactor or by one that works already.
    pub async fn enter(
        bucket: BucketRef,
        config: LeaseConfig,
        chance: &mut Chance,
    ) -> Result<Self, EnterError> {
        let kept = |char: char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '-' };
        let name: String = config.name.chars().map(kept).take(100).collect();
        let instance = format!("{name}-{:016x}", chance.next_u64());
        let alone = !bucket.creates_atomically();
        let start = TimestampMs::from_millis(0);
        let beats = Mutex::new(Beats { first: start, last: start });
        let inner = Inner { bucket, instance, ttl: config.ttl, alone, numbers: AtomicU64::new(0), beats };
        let first = inner.heartbeat().await?;
        *inner.lock() = Beats { first, last: first };
        inner.heartbeat().await?;
        if let Err(error) = inner.refuse_others().await {
            // It is of no use to anybody, and gone by itself after a while.
            drop(objects::remove(inner.bucket.as_ref(), &objects::instance_name(&inner.instance)).await);
            return Err(error);
        }
        Ok(Leases(Arc::new(inner)))
    }

    /// What this compactor is called.
    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// Whether there must be no other compactor, because the store cannot create under a condition.
    pub fn must_be_alone(&self) -> bool {
        self.0.alone
    }

    /// Says that this compactor is alive; to be called at the start of each cycle. Gives the store's time.
    ///
    /// # Errors
    /// [`EnterError::NotAlone`] where there must be no other and there is one, also when this one was silent for so long that
    /// another had a right to begin; nothing more is to be done then until it has entered anew.
    pub async fn beat(&self) -> Result<TimestampMs, EnterError> {
        self.0.beat().await
    }

    /// Says so again and again, for as long as this compactor runs; ends with what [`Leases::beat`] ends with, and not because
    /// the bucket fails.
    pub async fn keep_beating(&self) -> EnterError {
        loop {
            tokio::time::sleep(self.0.ttl.to_std() / 3).await;
            match self.beat().await {
                Err(error @ EnterError::NotAlone { .. }) => return error,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "did not say that this compactor is alive"
                    );
                }
                Ok(_) => {}
            }
        }
    }

    /// The other compactors that were seen lately.
    ///
    /// # Errors
    /// When the bucket fails.
    pub async fn others(&self) -> Result<Vec<SeenInstance>, BucketError> {
        let now = self.0.heartbeat().await?;
        self.0.others(now).await
    }

    /// Takes the heartbeat away; leases are released by who has them.
    ///
    /// # Errors
    /// When the bucket fails; the heartbeat is then gone after a while.
    pub async fn leave(self) -> Result<(), BucketError> {
        objects::remove(self.0.bucket.as_ref(), &objects::instance_name(&self.0.instance)).await
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Beats> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a compactor must have been silent for others to take what it had: more than it allows itself.
    pub(super) const fn silence(&self) -> PromDuration {
        PromDuration::from_millis(self.ttl.as_millis().saturating_add(self.ttl.as_millis() / 2))
    }

    /// Writes the heartbeat and gives the time at which the store took it.
    pub(super) async fn heartbeat(&self) -> Result<TimestampMs, BucketError> {
        let name = objects::instance_name(&self.instance);
        let first = self.lock().first;
        let object = InstanceObject::new(&self.instance, first.as_millis(), self.alone);
        objects::write(self.bucket.as_ref(), &name, &object, Put::Replace).await?;
        let now = objects::modified(self.bucket.as_ref(), &name).await?;
        now.ok_or(BucketError::NotFound { name })
    }

    pub(super) async fn beat(&self) -> Result<TimestampMs, EnterError> {
        let now = self.heartbeat().await?;
        let last = {
            let mut beats = self.lock();
            let last = beats.last;
            if self.alone && now.since(last) > self.ttl {
                // As if it were new: whoever has begun meanwhile was right to.
                beats.first = now;
            }
            beats.last = beats.last.max(now);
            last
        };
        if self.alone && now.since(last) > self.ttl {
            self.heartbeat().await?;
        }
        self.refuse_others().await?;
        Ok(now)
    }

    /// Refuses to be beside others where that is not safe.
    async fn refuse_others(&self) -> Result<(), EnterError> {
        let Beats { first, last } = *self.lock();
        for other in self.others(last).await? {
            // Of two that begin in the same moment neither works; both begin again.
            if (self.alone || other.alone) && other.since <= first.as_millis() {
                return Err(EnterError::NotAlone {
                    bucket: self.bucket.name().to_owned(),
                    other: other.instance,
                    seconds: other.silent.as_millis().max(0) / 1000,
                    silence: self.silence().as_millis() / 1000,
                });
            }
        }
        Ok(())
    }

    async fn others(&self, now: TimestampMs) -> Result<Vec<SeenInstance>, BucketError> {
        let folder = objects::instances_folder();
        let entries: Vec<Entry> = self.bucket.list(&folder, Listing::Recursive).try_collect().await?;
        let mut seen = Vec::new();
        for entry in entries {
            let own = entry.name == objects::instance_name(&self.instance);
            let Some(attributes) = entry.attributes.filter(|_| !own) else { continue };
            let silent = now.since(attributes.modified);
            if silent > self.silence() {
                continue;
            }
            let object: Option<InstanceObject> = objects::read(self.bucket.as_ref(), &entry.name).await?;
            let Some(InstanceObject { instance, since, alone, .. }) = object else { continue };
            // One that has only just begun does not know its own start yet.
            let since = if since == 0 { attributes.modified.as_millis() } else { since };
            seen.push(SeenInstance { instance, since, silent, alone });
        }
        Ok(seen)
    }
}
