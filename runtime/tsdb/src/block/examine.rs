//! Examines a block: one pass over all of it that names everything that is wrong.
//!
//! What opens a block stops at the first fault. This goes on: behind a damaged series comes the next one, behind a damaged chunk
//! the next chunk, and a damaged section of the index leaves the others to be looked at.

mod chunks;
mod index;
mod postings;
mod problem;

use crate::index::SeriesRef;
use crate::stored::StoredFile;

use super::{Tombstones, segment_name};

pub use problem::{Problem, ProblemKind, Problems};

use chunks::ChunkPass;
pub(super) use chunks::times_of;

/// The files of a block.
#[derive(Debug, Clone, Default)]
pub struct BlockFiles {
    /// `index`, if it is there.
    pub index: Option<StoredFile>,
    /// The segments, in any order; their names say their numbers.
    pub segments: Vec<StoredFile>,
    /// `tombstones`, if it is there.
    pub tombstones: Option<StoredFile>,
}

/// What was found in a block.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// What is wrong.
    pub problems: Problems,
    /// What is in the block; only as much as could be read.
    pub counts: Counts,
}

/// What is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Series that could be read.
    pub series: u64,
    /// Their chunks.
    pub chunks: u64,
    /// Samples of the chunks that could be decoded; of an aggregate chunk those of its count.
    pub samples: u64,
    /// Those of them that are in chunks of histograms.
    pub histogram_samples: u64,
    /// Deleted intervals.
    pub tombstones: u64,
    /// The time of the first sample and of the last, milliseconds, where there are samples.
    pub times: Option<(i64, i64)>,
}

/// Examines a block whose samples are to lie in `min_time..max_time` (milliseconds).
///
/// Every byte that has a checksum is checked, every chunk is decoded. In memory are a buffer per file, a bit for each 16 bytes of the
/// index, and, where series and postings contradict each other, 24 bytes for each pair of label name and value; never the series or the samples.
pub fn examine(files: &BlockFiles, min_time: i64, max_time: i64) -> Examination {
    let mut found = Examination::default();
    let mut pass = ChunkPass::new(numbered(&files.segments), (min_time, max_time), &mut found);
    let index = index::check(files.index.as_ref(), &mut pass);
    pass.finish(index.is_complete());
    if let Some(file) = &files.tombstones {
        match Tombstones::read(file) {
            Ok(tombstones) => {
                found.counts.tombstones = tombstones.len();
                let known = |series: SeriesRef| !index.is_complete() || index.may_exist(series);
                for (series, _) in tombstones.iter().filter(|(series, _)| !known(*series)) {
                    let kind = ProblemKind::TombstonesUnknownSeries;
                    found.problems.add(kind, file.name(), 0, true, || format!("series {}", series.0));
                }
            }
            Err(corruption) => {
                let kind = ProblemKind::Tombstones;
                let corruption = || format!("{}: {}", corruption.section, corruption.fault);
                found.problems.add(kind, file.name(), 0, false, corruption);
            }
        }
    }
    found
}

/// The segments by their numbers from 0, up to the last that is there.
fn numbered(files: &[StoredFile]) -> Vec<Option<StoredFile>> {
    let number = |file: &StoredFile| file.name().rsplit('/').next().and_then(|name| name.parse::<u32>().ok());
    // Far more than there can be: a larger number is the name of something else.
    let last = files.iter().filter_map(number).filter(|number| *number < 1 << 20).max().unwrap_or(0);
    let mut numbered = vec![None; last as usize];
    for file in files {
        let place = number(file).and_then(|number| number.checked_sub(1));
        let named = place.is_some_and(|place| **file.name() == *segment_name(place));
        if named && let Some(slot) = place.and_then(|place| numbered.get_mut(place as usize)) {
            *slot = Some(file.clone());
        }
    }
    numbered
}

/// The segments in order; `None` where one is missing.
pub(super) fn in_order(files: &[StoredFile]) -> Option<Vec<StoredFile>> {
    numbered(files).into_iter().collect()
}
