//! A lease: how it is got, kept, confirmed and given back.

use std::pin::pin;
use std::sync::atomic::Ordering;

use objstore::{BucketError, Put};
use prom_model::TimestampMs;
use tokio::time::Instant;

use super::claim::{Claim, Fence};
use super::error::{EnterError, LeaseError};
use super::instance::{Inner, Leases};
use super::objects::{self, LeaseObject, lease_name};

/// No chain of generations is longer, unless somebody writes objects of ours.
const GENERATIONS_MAX: u64 = 100_000;

/// What came of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// It is ours.
    Ours(Lease),
    /// Somebody works on it, or on a part of it.
    Taken {
        /// Who.
        by: String,
    },
}

/// The right to work on what was claimed, until it runs out or is released.
#[derive(Debug)]
pub struct Lease {
    leases: Leases,
    claim: Claim,
    /// Which of this compactor's leases it is.
    number: u64,
    /// The generation of each key that is held.
    held: Vec<(String, u64)>,
    since: TimestampMs,
    /// When it was last seen to hold, by the store's clock and by ours: a clock that only counts.
    renewed: TimestampMs,
    renewed_here: Instant,
    renewals: u64,
}

/// What came of one key.
enum Key {
    Ours(u64),
    Taken(String),
}

impl Leases {
    /// Claims something; of a claim of several windows all or none.
    ///
    /// # Errors
    /// When the bucket fails, or this compactor may not work at all.
    pub async fn claim(&self, claim: &Claim) -> Result<Claimed, LeaseError> {
        let renewed_here = Instant::now();
        let now = self.now(claim).await?;
        let mut lease = Lease {
            leases: self.clone(),
            claim: claim.clone(),
            number: self.0.numbers.fetch_add(1, Ordering::Relaxed),
            held: Vec::new(),
            since: now,
            renewed: now,
            renewed_here,
            renewals: 0,
        };
        if self.0.alone {
            return Ok(Claimed::Ours(lease));
        }
        for key in &claim.keys {
            match lease.claim_key(key, now).await {
                Ok(Key::Ours(generation)) => lease.held.push((key.clone(), generation)),
                Ok(Key::Taken(by)) => {
                    lease.give_back().await;
                    return Ok(Claimed::Taken { by });
                }
                Err(source) => {
                    lease.give_back().await;
                    return Err(lease.failed(source));
                }
            }
        }
        // It counts from before the first step: if all of them took longer than it holds, it is over already.
        match lease.check().await {
            Ok(()) => Ok(Claimed::Ours(lease)),
            Err(LeaseError::Lost { .. }) => {
                lease.give_back().await;
                Ok(Claimed::Taken { by: "somebody who was quicker".to_owned() })
            }
            Err(error) => {
                lease.give_back().await;
                Err(error)
            }
        }
    }

    /// The store's time. Where this compactor must be alone, also whether it is.
    async fn now(&self, claim: &Claim) -> Result<TimestampMs, LeaseError> {
        let words = || claim.words().to_owned();
        let now = match self.0.alone {
            true => self.0.beat().await,
            false => self.0.heartbeat().await.map_err(EnterError::from),
        };
        match now {
            Ok(now) => Ok(now),
            Err(EnterError::Bucket(source)) => Err(LeaseError::Bucket { claim: words(), source }),
            Err(EnterError::NotAlone { .. }) => {
                Err(LeaseError::Lost { claim: words(), why: "another compactor works on the bucket" })
            }
        }
    }
}

impl Lease {
    /// By which right the work is done; goes into the meta.json of a new block.
    pub fn fence(&self) -> Fence {
        Fence {
            claim: self.claim.words().to_owned(),
            generation: self.held.iter().map(|(_, generation)| *generation).max().unwrap_or(0),
            instance: self.inner().instance.clone(),
            since: self.since.as_millis(),
        }
    }

    /// Sees whether the lease still holds, and renews it. To be asked right before each mark and each deletion.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] for good; [`LeaseError::Bucket`] when nothing is known, so that nothing may be done either.
    pub async fn confirm(&mut self) -> Result<(), LeaseError> {
        let here = Instant::now();
        let now = self.leases.now(&self.claim).await?;
        self.refuse_late(now)?;
        let bucket = self.leases.0.bucket.clone();
        let mut renewed = now;
        for (key, generation) in self.held.clone() {
            let name = lease_name(&key, generation);
            if !self.is_ours(&name).await.map_err(|source| self.failed(source))? {
                return Err(self.lost("somebody has taken it and given it back"));
            }
            let object = self.object(self.renewals.saturating_add(1));
            let written = objects::write(bucket.as_ref(), &name, &object, Put::Replace).await;
            written.map_err(|source| self.failed(source))?;
            let at = objects::modified(bucket.as_ref(), &name).await.map_err(|source| self.failed(source))?;
            let Some(at) = at else { return Err(self.lost("it was removed while it was renewed")) };
            // The write may have come late: then the lease was over, and this object is of no worth.
            self.refuse_late(at)?;
            renewed = renewed.min(at);
        }
        self.check().await?;
        self.renewals = self.renewals.saturating_add(1);
        (self.renewed, self.renewed_here) = (self.renewed.max(renewed), here);
        if self.is_stale() {
            return Err(self.lost("it took too long to renew it"));
        }
        Ok(())
    }

    /// Works, and renews the lease meanwhile. The work is dropped when the lease is lost; marks and deletions do not belong
    /// into it but behind it, each after a [`Lease::confirm`].
    ///
    /// # Errors
    /// [`LeaseError::Lost`], also when the bucket could not be asked for so long that others may have begun.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, LeaseError> {
        let pause = self.inner().ttl.to_std() / 3;
        let renewing = async {
            loop {
                tokio::time::sleep(pause).await;
                match self.confirm().await {
                    Ok(()) => {}
                    Err(error @ LeaseError::Lost { .. }) => return error,
                    Err(_) if self.is_stale() => {
                        return self.lost("the bucket could not be asked for too long");
                    }
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "did not renew a lease");
                    }
                }
            }
        };
        let (work, renewing) = (pin!(work), pin!(renewing));
        match futures::future::select(work, renewing).await {
            futures::future::Either::Left((done, _)) => Ok(done),
            futures::future::Either::Right((error, _)) => Err(error),
        }
    }

    /// Gives back what was claimed, and removes what those have left who slept over it. What cannot be removed is free once
    /// it has run out.
    pub async fn release(mut self) {
        self.give_back().await;
    }

    fn inner(&self) -> &Inner {
        &self.leases.0
    }

    /// Takes a key: its first free generation, provided that the one before has run out.
    async fn claim_key(&self, key: &str, now: TimestampMs) -> Result<Key, BucketError> {
        let inner = self.inner();
        let bucket = inner.bucket.as_ref();
        for generation in 1..GENERATIONS_MAX {
            let name = lease_name(key, generation);
            let next = lease_name(key, generation.saturating_add(1));
            let Some(modified) = objects::modified(bucket, &name).await? else {
                match self.create(&name).await? {
                    Some(by) => return Ok(Key::Taken(by)),
                    // The hole that two have left who gave back at once is filled; the last one decides.
                    None if objects::modified(bucket, &next).await?.is_some() => continue,
                    None => return Ok(Key::Ours(generation)),
                }
            };
            if now.since(modified) > inner.silence() {
                continue;
            }
            if objects::modified(bucket, &next).await?.is_none() {
                return Ok(Key::Taken(who(objects::read(bucket, &name).await?)));
            }
        }
        Ok(Key::Taken("nobody: there are too many generations".to_owned()))
    }

    /// Creates an object of this lease; gives who was quicker.
    async fn create(&self, name: &str) -> Result<Option<String>, BucketError> {
        let bucket = self.inner().bucket.as_ref();
        let Err(error) = objects::write(bucket, name, &self.object(0), Put::Create).await else {
            return Ok(None);
        };
        // What stands there decides: an error may come from a store that has done it.
        let found = objects::read::<LeaseObject>(bucket, name).await?;
        match (error, found) {
            (_, Some(found)) if self.wrote(&found) => Ok(None),
            (BucketError::AlreadyExists { .. }, found) => Ok(Some(who(found))),
            (error, _) => Err(error),
        }
    }

    /// Whether nobody has taken the generation after ours, which is done only when ours has run out.
    async fn check(&self) -> Result<(), LeaseError> {
        for (key, generation) in &self.held {
            let next = lease_name(key, generation.saturating_add(1));
            let found = objects::modified(self.inner().bucket.as_ref(), &next).await;
            if found.map_err(|source| self.failed(source))?.is_some() {
                return Err(self.lost("somebody has taken it"));
            }
        }
        if self.is_stale() { Err(self.lost("it has run out")) } else { Ok(()) }
    }

    /// Whether so much time has passed since it was last seen to hold that others may take it, by a clock that only counts.
    fn is_stale(&self) -> bool {
        self.renewed_here.elapsed() > self.inner().ttl.to_std()
    }

    fn refuse_late(&self, now: TimestampMs) -> Result<(), LeaseError> {
        match now.since(self.renewed) > self.inner().ttl {
            true => Err(self.lost("it has run out")),
            false => Ok(()),
        }
    }

    fn lost(&self, why: &'static str) -> LeaseError {
        LeaseError::Lost { claim: self.claim.words().to_owned(), why }
    }

    fn failed(&self, source: BucketError) -> LeaseError {
        LeaseError::Bucket { claim: self.claim.words().to_owned(), source }
    }

    /// What stands in the objects of this lease.
    fn object(&self, renewals: u64) -> LeaseObject {
        LeaseObject::new(&self.inner().instance, self.number, self.claim.words(), renewals)
    }

    /// Whether an object is of this lease.
    fn wrote(&self, object: &LeaseObject) -> bool {
        object.instance == self.inner().instance && object.number == self.number
    }

    async fn is_ours(&self, name: &str) -> Result<bool, BucketError> {
        let found = objects::read::<LeaseObject>(self.inner().bucket.as_ref(), name).await?;
        Ok(found.is_some_and(|found| self.wrote(&found)))
    }

    /// Removes the objects of the lease if it holds, and then those of generations that have run out. What fails is left to
    /// whoever claims the same next.
    async fn give_back(&mut self) {
        for (key, generation) in std::mem::take(&mut self.held) {
            if !self.is_stale()
                && let Err(error) = self.give_back_key(&key, generation).await
            {
                tracing::warn!(key, error = &error as &dyn std::error::Error, "did not remove a lease");
            }
        }
    }

    async fn give_back_key(&self, key: &str, generation: u64) -> Result<(), BucketError> {
        let bucket = self.inner().bucket.as_ref();
        let modified = async |generation| objects::modified(bucket, &lease_name(key, generation)).await;
        let (own, next) = (lease_name(key, generation), generation.saturating_add(1));
        if !self.is_ours(&own).await? || modified(next).await?.is_some() {
            return Ok(());
        }
        objects::remove(bucket, &own).await?;
        // Downwards, so that no generation is ever missing below one that holds but for the one right below it: whoever
        // creates that one sees the next.
        for earlier in (1..generation).rev() {
            let (above, beyond) = (earlier.saturating_add(1), earlier.saturating_add(2));
            if modified(above).await?.is_some() || modified(beyond).await?.is_some() {
                break;
            }
            objects::remove(bucket, &lease_name(key, earlier)).await?;
        }
        Ok(())
    }
}

fn who(found: Option<LeaseObject>) -> String {
    found.map_or_else(|| "somebody".to_owned(), |found| found.instance)
}
