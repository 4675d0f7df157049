//! Which chunks of a series overlap, and what becomes of them.

use tsdb::chunk::Encoding;

use super::Overlaps;
use super::chain::Chain;
use super::decoded::Decoded;
use super::encode::{Encoder, SAMPLES_MAX};
use super::gather::{Bad, Chunk, Gathered};
use super::penalty::Penalty;
use super::windows::Windows;

/// Resolves overlaps; its memory is used again.
#[derive(Debug)]
pub(super) struct Groups {
    overlaps: Overlaps,
    /// The chunks of the series in the order of their first, then of their last times.
    order: Vec<usize>,
    /// The chunks that are to be merged.
    group: Vec<usize>,
    decoded: Decoded,
    windows: Windows,
    chain: Chain,
    penalty: Penalty,
    encoder: Encoder,
    rows: Vec<u32>,
}

impl Groups {
    pub(super) fn new(overlaps: Overlaps) -> Self {
        Groups {
            overlaps,
            order: Vec::new(),
            group: Vec::new(),
            decoded: Decoded::default(),
            windows: Windows::default(),
            chain: Chain::default(),
            penalty: Penalty::default(),
            encoder: Encoder::default(),
            rows: Vec::new(),
        }
    }

    /// Makes what the new block gets of what was gathered.
    pub(super) fn resolve(&mut self, gathered: &mut Gathered) -> Result<(), Bad> {
        let chunks = std::mem::take(&mut gathered.chunks);
        let resolved = if chunks.is_sorted_by(|one, next| one.max_time < next.min_time) {
            chunks.iter().try_for_each(|chunk| pass(chunk, gathered))
        } else {
            self.resolve_overlaps(&chunks, gathered)
        };
        gathered.chunks = chunks;
        resolved
    }

    fn resolve_overlaps(&mut self, chunks: &[Chunk], gathered: &mut Gathered) -> Result<(), Bad> {
        self.order.clear();
        self.order.extend(0..chunks.len());
        let times = |at: &usize| chunks.get(*at).map(|chunk| (chunk.min_time, chunk.max_time));
        // Stable, so that of equal ones the block that comes first is first.
        self.order.sort_by_key(times);
        let mut at = 0usize;
        while let Some(first) = self.order.get(at).and_then(|at| chunks.get(*at)) {
            self.group.clear();
            self.group.extend(self.order.get(at));
            let (mut end, mut before) = (first.max_time, first);
            at = at.saturating_add(1);
            while let Some(place) = self.order.get(at)
                && let Some(next) = chunks.get(*place).filter(|next| next.min_time <= end)
            {
                if is_same(before, next, &gathered.bytes) {
                    let duplicates = &mut gathered.account.duplicates;
                    *duplicates = duplicates.saturating_add(next.samples);
                } else {
                    self.group.push(*place);
                    (end, before) = (end.max(next.max_time), next);
                }
                at = at.saturating_add(1);
            }
            if self.group.len() == 1 {
                pass(first, gathered)?;
            } else {
                self.merge(chunks, gathered)?;
            }
        }
        Ok(())
    }

    /// Merges the chunks of the group.
    fn merge(&mut self, chunks: &[Chunk], gathered: &mut Gathered) -> Result<(), Bad> {
        let group = self.group.iter().filter_map(|at| chunks.get(*at));
        let aggregates = group.clone().next().is_some_and(|chunk| chunk.encoding == Encoding::Aggregate);
        self.decoded.clear();
        self.windows.clear();
        let mut read = 0u64;
        for chunk in group.clone() {
            if (chunk.encoding == Encoding::Aggregate) != aggregates {
                return Err(
                    chunk.bad(super::gather::What::Rule("a chunk of aggregates among chunks of samples"))
                );
            }
            let data = gathered.bytes.get(chunk.bytes.clone()).unwrap_or(&[]);
            let times =
                if aggregates { self.windows.add(data) } else { self.decoded.add(chunk.encoding, data) };
            let times = times.map_err(|error| chunk.bad(error))?;
            chunk.check_times(times).map_err(|what| chunk.bad(what))?;
            read = read.saturating_add(chunk.samples);
        }
        let Some(block) = group.clone().next().map(|chunk| chunk.block) else { return Ok(()) };
        let (times, parts) = match aggregates {
            true => (self.windows.times(), self.windows.parts()),
            false => (self.decoded.times(), self.decoded.parts()),
        };
        let rows = match self.overlaps {
            Overlaps::OneToOne if aggregates => {
                let duplicates = self.windows.first_of_each(&mut self.rows);
                gathered.account.duplicates = gathered.account.duplicates.saturating_add(duplicates);
                &self.rows
            }
            Overlaps::OneToOne => {
                // The first chunk gets the turn last.
                let (first, others) = parts.split_at_checked(1).unwrap_or_default();
                self.chain.run(times, others.iter().chain(first));
                gathered.account.duplicates =
                    gathered.account.duplicates.saturating_add(self.chain.duplicates);
                &self.chain.rows
            }
            Overlaps::Penalty => {
                let (first, others) = parts.split_at_checked(1).unwrap_or_default();
                match aggregates {
                    true => self.penalty.run(times, others.iter().chain(first)),
                    false => self.penalty.run(times, parts.iter()),
                }
                let left = read.saturating_sub(self.penalty.rows.len() as u64);
                gathered.account.duplicates = gathered.account.duplicates.saturating_add(left);
                &self.penalty.rows
            }
        };
        let (bytes, made) = (&mut gathered.bytes, &mut gathered.made);
        match aggregates {
            true => self.windows.encode(rows, SAMPLES_MAX, block, bytes, made),
            false => self.encoder.encode(&self.decoded, rows, SAMPLES_MAX, block, bytes, made),
        }
        Ok(())
    }
}

/// Passes a chunk on as it is.
fn pass(chunk: &Chunk, gathered: &mut Gathered) -> Result<(), Bad> {
    gathered.check(chunk).map_err(|what| chunk.bad(what))?;
    gathered.made.push(chunk.clone());
    Ok(())
}

/// Whether two chunks are the same to the last byte.
fn is_same(one: &Chunk, other: &Chunk, bytes: &[u8]) -> bool {
    let data = |chunk: &Chunk| bytes.get(chunk.bytes.clone());
    (one.min_time, one.max_time, one.encoding) == (other.min_time, other.max_time, other.encoding)
        && data(one) == data(other)
}
