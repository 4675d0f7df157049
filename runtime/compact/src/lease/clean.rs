//! Removes what compactors have left that are no more.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use objstore::{BucketError, Entry, Listing};
use prom_model::PromDuration;

use super::claim::Claim;
use super::error::LeaseError;
use super::held::Claimed;
use super::instance::Leases;
use super::objects::{self, parse_lease_name};

/// What nobody has written for so long belongs to nobody.
const ABANDONED: PromDuration = PromDuration::from_hours(24);

impl Leases {
    /// Removes leases and heartbeats that nobody has renewed for a day; gives how many. To be called now and then.
    ///
    /// A lease is removed by whoever has claimed the same, so nobody takes it meanwhile.
    ///
    /// # Errors
    /// When the bucket fails; what is left is removed the next time.
    pub async fn clean(&self) -> Result<usize, LeaseError> {
        let failed =
            |source: BucketError| LeaseError::Bucket { claim: "what others have left".to_owned(), source };
        let bucket = self.0.bucket.as_ref();
        let now = self.0.heartbeat().await.map_err(failed)?;
        let is_old = |entry: &Entry| {
            entry.attributes.is_some_and(|attributes| now.since(attributes.modified) > ABANDONED)
        };
        let mut removed = 0;
        let instances = bucket.list(&objects::instances_folder(), Listing::Recursive);
        let instances: Vec<Entry> = instances.try_collect().await.map_err(failed)?;
        for entry in instances.iter().filter(|entry| is_old(entry)) {
            objects::remove(bucket, &entry.name).await.map_err(failed)?;
            removed += 1;
        }
        let leases = bucket.list(&objects::leases_folder(), Listing::Recursive);
        let leases: Vec<Entry> = leases.try_collect().await.map_err(failed)?;
        let mut by_key: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &leases {
            if let Some((key, _)) = parse_lease_name(&entry.name) {
                by_key.entry(key).or_default().push(entry);
            }
        }
        for (key, entries) in by_key {
            if !entries.iter().all(|entry| is_old(entry)) {
                continue;
            }
            let Claimed::Ours(mut lease) = self.claim(&Claim::of_key(key)).await? else { continue };
            // The release reaches those below; those above are there only where one between is missing.
            for entry in entries {
                let is_above = parse_lease_name(&entry.name)
                    .is_some_and(|(_, generation)| generation > lease.fence().generation);
                if is_above {
                    lease.confirm().await?;
                    objects::remove(bucket, &entry.name).await.map_err(failed)?;
                }
                removed += 1;
            }
            lease.release().await;
        }
        Ok(removed)
    }
}
