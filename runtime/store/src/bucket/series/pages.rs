//! The section of series of an index in pages: those that are needed, from the cache or from the bucket.

use std::ops::Range;
use std::sync::Arc;

use block::index_header::IndexHeader;
use bytes::Bytes;
use tsdb::index::{Postings, SeriesRef};

use crate::bucket::block::Block;
use crate::bucket::cache::{CacheKey, What};
use crate::bucket::call::Call;
use crate::bucket::error::ReadError;
use crate::bucket::fetch::{Fetched, fetch, join, total};
use crate::bucket::postings::of_index;

/// Bytes of a page.
const PAGE: u64 = 16 << 10;

/// Bytes of series.
#[derive(Debug)]
pub(super) struct Pages {
    fetched: Fetched,
}

impl Pages {
    /// Reads the pages on which the series at these places of the postings lie.
    pub(super) async fn read(
        block: &Block,
        header: &IndexHeader,
        call: &Call,
        postings: &Arc<Postings>,
        places: Range<usize>,
    ) -> Result<Self, ReadError> {
        let series = places.len() as u64;
        let numbers = wanted(block, header, postings, places)?;
        let key = |number: &u64| CacheKey { block: block.id, what: What::Series(*number) };
        let keys: Vec<CacheKey> = numbers.iter().map(key).collect();
        let known = call.cache.fetch(&keys, &call.tenant).await;
        let end = header.index().series_end();
        let bytes_of = |number: u64| number * PAGE..((number + 1) * PAGE).min(end);
        let missing = || numbers.iter().zip(&known).filter(|(_, known)| known.is_none());
        let parts = join(missing().map(|(number, _)| bytes_of(*number)));
        let (from_bucket, kept) =
            (total(&parts), known.iter().flatten().map(|page| page.len() as u64).sum::<u64>());
        call.limits.bytes.reserve(from_bucket + kept, "exceeded bytes limit while fetching series")?;
        call.used.series.touch(series, from_bucket + kept);
        call.used.series.fetch(series, from_bucket);
        let mut fetched = fetch(call.bucket.as_ref(), &block.index_object(), &parts).await?;
        for (number, _) in missing() {
            // What is kept has memory of its own, or a page would keep all that was read with it.
            if let Some(page) = fetched.range(bytes_of(*number)) {
                call.cache.store(key(number), Bytes::copy_from_slice(&page), &call.tenant);
            }
        }
        for (number, page) in numbers.iter().zip(known) {
            if let Some(page) = page {
                fetched.push(number * PAGE, page);
            }
        }
        fetched.sort();
        Ok(Pages { fetched })
    }

    /// Adds bytes of which it was found that they are needed.
    pub(super) async fn more(
        mut self,
        block: &Block,
        call: &Call,
        range: Range<u64>,
    ) -> Result<Self, ReadError> {
        let bytes = range.end.saturating_sub(range.start);
        call.limits.bytes.reserve(bytes, "exceeded bytes limit while fetching series")?;
        call.used.series.fetch(0, bytes);
        let read = call.bucket.get_range(&block.index_object(), range.start, bytes).await?;
        self.fetched.push(range.start, read);
        self.fetched.sort();
        Ok(self)
    }

    /// The bytes from an offset on, as many as lie in one piece.
    pub(super) fn from(&self, offset: u64) -> &[u8] {
        self.fetched.piece(offset).and_then(|(piece, skip)| piece.get(skip..)).unwrap_or(&[])
    }

    /// The bytes of a range that may lie in several pieces.
    pub(super) fn range(&self, range: Range<u64>) -> Option<Bytes> {
        self.fetched.range(range)
    }
}

/// The numbers of the pages, ascending.
fn wanted(
    block: &Block,
    header: &IndexHeader,
    postings: &Postings,
    places: Range<usize>,
) -> Result<Vec<u64>, ReadError> {
    let (index, usual) = (header.index(), block.series_bytes());
    let offset = |at: usize| -> Result<Option<u64>, ReadError> {
        let Some(reference) = postings.get(at) else { return Ok(None) };
        Ok(Some(index.series_offset(SeriesRef(reference.0)).map_err(of_index)?))
    };
    let mut numbers: Vec<u64> = Vec::new();
    let (end_of_all, mut at) = (index.series_end(), places.start);
    let mut next = offset(at)?;
    while let Some(start) = next.filter(|_| at < places.end) {
        at += 1;
        next = offset(at)?;
        let end = next.unwrap_or(end_of_all).min(start.saturating_add(usual)).min(end_of_all);
        for number in start / PAGE..=end.saturating_sub(1).max(start) / PAGE {
            if numbers.last().is_none_or(|last| *last < number) {
                numbers.push(number);
            }
        }
    }
    Ok(numbers)
}
