//! Listings that are old, or lose a page, or have one twice.

use std::collections::BTreeMap;

use futures::stream::TryStreamExt;

use super::{Fate, Fault, Faulty};
use crate::memory::below;
use crate::name::folder_prefix;
use crate::{Attributes, BucketError, Entry, Listing};

/// An object before it was written or deleted.
pub(super) struct Change {
    pub(super) name: String,
    pub(super) before: Option<Attributes>,
}

impl Faulty {
    pub(super) async fn faulty_list(
        &self,
        fate: &mut Fate,
        folder: &str,
        listing: Listing,
    ) -> Vec<Result<Entry, BucketError>> {
        let listed = match fate.fault {
            Some(Fault::StaleList) => self.stale(fate, folder, listing).await,
            _ => self.inner.list(folder, listing).try_collect::<Vec<Entry>>().await,
        };
        let mut entries = match self.end_list(fate, listed) {
            Ok(entries) => entries,
            Err(error) => return vec![Err(error)],
        };
        let pages = entries.len().div_ceil(self.page);
        let page = usize::try_from(fate.chance.below(pages as u64)).unwrap_or_default();
        let start = page.saturating_mul(self.page).min(entries.len());
        let end = start.saturating_add(self.page).min(entries.len());
        match fate.fault {
            Some(Fault::ListPageLost) => drop(entries.drain(start..end)),
            Some(Fault::ListPageTwice) => {
                let again = entries.get(start..end).unwrap_or_default().to_vec();
                entries.splice(end..end, again);
            }
            Some(Fault::AppliedThenError) => {
                entries.truncate(entries.len() / 2);
                let broken = fate.unavailable(folder);
                return entries.into_iter().map(Ok).chain([Err(broken)]).collect();
            }
            _ => {}
        }
        entries.into_iter().map(Ok).collect()
    }

    fn end_list(
        &self,
        fate: &Fate,
        listed: Result<Vec<Entry>, BucketError>,
    ) -> Result<Vec<Entry>, BucketError> {
        match fate.fault {
            Some(Fault::AppliedThenError) => listed,
            _ => self.end(fate, "", listed),
        }
    }

    /// The listing as it was before the last changes, at least one of them.
    async fn stale(
        &self,
        fate: &mut Fate,
        folder: &str,
        listing: Listing,
    ) -> Result<Vec<Entry>, BucketError> {
        let prefix = folder_prefix(folder)?;
        let now: Vec<Entry> = self.inner.list(folder, Listing::Recursive).try_collect().await?;
        let mut objects: BTreeMap<String, Attributes> = now
            .into_iter()
            .filter_map(|entry| entry.attributes.map(|attributes| (entry.name, attributes)))
            .collect();
        let state = self.state();
        let unknown = 1 + fate.chance.below(state.changes.len().min(16) as u64) as usize;
        for Change { name, before } in state.changes.iter().rev().take(unknown) {
            if !name.starts_with(prefix.as_ref()) {
                continue;
            }
            match before {
                Some(attributes) => objects.insert(name.clone(), *attributes),
                None => objects.remove(name),
            };
        }
        Ok(below(objects.iter().map(|(name, attributes)| (name.as_str(), *attributes)), &prefix, listing))
    }
}
