//! The right to work on something, where several compactors share a bucket.

use super::error::JobFailure;
use crate::lease::{Claim, Fence, Lease, Leases};

/// Gives claims out; without leases, all of them.
#[derive(Debug)]
pub(super) struct Claims(Option<Leases>);

/// What came of a claim.
#[derive(Debug)]
pub(super) enum Claimed {
    /// It is ours.
    Ours(Held),
    /// Somebody else works there.
    Taken {
        /// Who.
        by: String,
    },
}

/// A claim that is ours.
#[derive(Debug)]
pub(super) struct Held(Option<Lease>);

impl Claims {
    pub(super) const fn new(leases: Option<Leases>) -> Self {
        Claims(leases)
    }

    /// Claims a range of time of a group, `from..to` in milliseconds.
    pub(super) async fn range(&self, group: &str, (from, to): (i64, i64)) -> Result<Claimed, JobFailure> {
        let claim = Claim::range(group, from, to).map_err(JobFailure::TooWide)?;
        self.claim(&claim).await
    }

    /// Claims something of which there is one in the bucket.
    pub(super) async fn whole(&self, name: &str) -> Result<Claimed, JobFailure> {
        self.claim(&Claim::whole(name)).await
    }

    /// Removes what compactors have left that are no more.
    pub(super) async fn clean(&self) {
        if let Some(leases) = &self.0
            && let Err(error) = leases.clean().await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "did not remove what other compactors have left"
            );
        }
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobFailure> {
        let Some(leases) = &self.0 else { return Ok(Claimed::Ours(Held(None))) };
        Ok(match leases.claim(claim).await? {
            crate::lease::Claimed::Ours(lease) => Claimed::Ours(Held(Some(lease))),
            crate::lease::Claimed::Taken { by } => Claimed::Taken { by },
        })
    }
}

impl Held {
    /// Works under the claim; the work is dropped when the claim is lost.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, JobFailure> {
        match &mut self.0 {
            None => Ok(work.await),
            Some(lease) => Ok(lease.during(work).await?),
        }
    }

    /// Sees whether the claim still holds; to be asked right before each mark and each deletion.
    pub(super) async fn confirm(&mut self) -> Result<(), JobFailure> {
        match &mut self.0 {
            None => Ok(()),
            Some(lease) => Ok(lease.confirm().await?),
        }
    }

    /// By which right the work is done.
    pub(super) fn fence(&self) -> Option<Fence> {
        self.0.as_ref().map(Lease::fence)
    }

    /// Gives the claim back.
    pub(super) async fn release(self) {
        if let Some(lease) = self.0 {
            lease.release().await;
        }
    }
}
