//! One series out of the chunks that several replicas have of it.
//!
//! What comes out is, sample by sample, what Thanos' iterators give, but for raw counters, which keep their resets where they can.
//! The iterators look at each sample of each replica; here whole columns are looked at: chunks that no replica disputes are decoded
//! straight into the answer, a replica that is not needed for minutes is not decoded for them, and runs of samples of one replica
//! are found by their times alone.

mod column;
mod counter;
mod lanes;
mod nested;
mod penalty;
mod replica;

use std::mem::take;

use promql::Samples;
use tsdb::chunk::ChunkError;

use self::column::Column;
use self::penalty::Falls;
use self::replica::{Decoder, Replica};
use crate::chain;
use crate::{Piece, Wanted};

/// How replicas become one series (`--deduplication.func`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deduplication {
    /// The replica that has the turn keeps it until it leaves a gap.
    #[default]
    Penalty,
    /// All samples of all replicas; of those with the same time one.
    Chain,
}

/// How the chunks of a series are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merging {
    /// Which aggregate, and so whether counters lose their resets: downsampled ones, and raw ones where a replica that takes the turn
    /// from another has a lower value.
    pub wanted: Wanted,
    /// Whether chunks whose times overlap are those of replicas. Where they are not, of two such chunks the first counts.
    pub replicas: Option<Deduplication>,
    /// Whether a counter must not fall where one replica takes the turn from another.
    pub monotonic: bool,
    /// The first and the last time that is wanted, milliseconds since the epoch. Earlier samples have no part in the choice
    /// between replicas.
    pub times: (i64, i64),
}

impl Merging {
    /// What a selector inside `function` wants.
    pub fn new(function: &str, replicas: Option<Deduplication>, times: (i64, i64)) -> Self {
        let monotonic = matches!(function, "increase" | "rate" | "irate" | "resets");
        Merging { wanted: Wanted::by(function), replicas, monotonic, times }
    }
}

/// Why the samples of a series cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    /// A chunk is damaged.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A chunk is encoded in a way that nobody has defined.
    #[error("invalid chunk encoding \"<unknown>\"")]
    Encoding,
    /// A chunk has none of the aggregates that were asked for.
    #[error("no valid chunk found")]
    Absent,
    /// A downsampled chunk has more counts than sums, or the other way round.
    #[error("sum and count iterator not aligned")]
    Lengths,
    /// Counts and sums of a downsampled chunk are of different windows.
    #[error("sum and count timestamps not aligned")]
    Times,
}

/// So many columns are kept for the next series.
const SPARE_MAX: usize = 8;

/// Reads series, one after another; its memory is used again for the next.
#[derive(Debug, Default)]
pub struct Merger {
    decoder: Decoder,
    lanes: lanes::Lanes,
    spare: Vec<Column>,
}

impl Merger {
    /// A merger without any memory yet.
    pub fn new() -> Self {
        Merger::default()
    }

    /// Puts the samples of a series into `into`, which is empty: all inside the wanted times, and maybe a few from outside.
    ///
    /// `pieces` are sorted by their first, then by their last times.
    ///
    /// # Errors
    /// The first thing that is wrong in a chunk that had to be looked at.
    pub fn read(
        &mut self,
        merging: &Merging,
        pieces: &[Piece<'_>],
        into: &mut Samples,
    ) -> Result<(), PieceError> {
        match merging.replicas {
            Some(_) => self.lanes.split(pieces),
            None => self.lanes.together(pieces.len()),
        }
        let mut lanes = take(&mut self.lanes);
        let read = self.read_lanes(merging, pieces, &lanes, into);
        lanes.clear();
        self.lanes = lanes;
        read
    }

    fn read_lanes(
        &mut self,
        merging: &Merging,
        pieces: &[Piece<'_>],
        lanes: &lanes::Lanes,
        into: &mut Samples,
    ) -> Result<(), PieceError> {
        let is_counter = merging.wanted == Wanted::Counter;
        let is_penalised = merging.replicas != Some(Deduplication::Chain);
        // Of scraped samples the engine sees resets itself, and sees more than when they are gone: how near zero a range begins.
        // Without them a reset is told from a replica that is behind.
        let as_scraped = is_counter
            && merging.monotonic
            && (lanes.count() == 1 || is_penalised)
            && pieces.iter().all(|piece| piece.is_raw);
        let falls = if merging.monotonic { Falls::Lifted } else { Falls::Kept };
        let ways = [as_scraped.then_some((false, Falls::Refused)), Some((is_counter, falls))];
        for (without_resets, falls) in ways.into_iter().flatten() {
            let mut replicas: Vec<Replica<'_>> = (0..lanes.count())
                .map(|lane| {
                    let column = self.spare.pop().unwrap_or_default();
                    Replica::new(lane, pieces, lanes.of_pieces(), merging.times, without_resets, column)
                })
                .collect();
            let merged = match replicas.as_mut_slice() {
                [] => return Ok(()),
                [only] => only.decode_all(&mut self.decoder).map(|()| Some(only.take_column())),
                several if !is_penalised => return self.chain(several, into),
                several
                    if several.len() > 2 && several.len() <= nested::DEPTH_MAX && falls == Falls::Lifted =>
                {
                    nested::fold(several, self.spare.pop().unwrap_or_default(), &mut self.decoder).map(Some)
                }
                several => penalty::fold(several, falls, &mut self.decoder, &mut self.spare),
            };
            self.spare.extend(replicas.iter_mut().map(Replica::take_column));
            if let Some(mut merged) = merged? {
                merged.swap_into(into);
                self.spare.push(merged);
                break;
            }
        }
        self.spare.retain(Column::has_memory);
        self.spare.truncate(SPARE_MAX);
        Ok(())
    }

    fn chain(&mut self, replicas: &mut [Replica<'_>], into: &mut Samples) -> Result<(), PieceError> {
        let mut parts = Vec::with_capacity(replicas.len());
        for replica in replicas {
            replica.decode_all(&mut self.decoder)?;
            let mut column = replica.take_column();
            let mut samples = Samples::default();
            column.swap_into(&mut samples);
            parts.push(samples);
        }
        chain::merge(&parts, into);
        Ok(())
    }
}
