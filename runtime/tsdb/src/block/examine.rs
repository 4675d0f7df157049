//! Examines a block: reads every byte that a query could ever ask for, and names all that is wrong with it in one pass.
//!
//! What opens a block stops at the first fault. This goes on: behind a damaged series comes the next one, behind a damaged chunk
//! the next chunk.

mod postings;
mod problem;
mod series;

use crate::corruption::{Corruption, Fault, Section};
use crate::index::{IndexReader, Series, SeriesRef};
use crate::stored::StoredFile;

use super::segments::check_header;
use super::{Segments, Tombstones, segment_name};

pub use problem::{Problem, ProblemKind, Problems};

use postings::LabelCounts;
use series::SeriesExamination;

/// The files of a block.
#[derive(Debug, Clone, Default)]
pub struct BlockFiles {
    /// `index`, if it is there.
    pub index: Option<StoredFile>,
    /// The segments, sorted by name.
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
}

/// Examines a block whose samples are to lie in `min_time..max_time` (milliseconds).
///
/// Memory: the symbols' sample, one series, one chunk, and 24 bytes for each pair of label name and value.
pub fn examine(files: &BlockFiles, min_time: i64, max_time: i64) -> Examination {
    let mut found = Examination::default();
    if let Some(file) = &files.tombstones
        && let Err(corruption) = Tombstones::read(file)
    {
        found.problems.add(ProblemKind::Tombstones, corruption.to_string());
    }
    let segments = open_segments(files, &mut found.problems);
    let Some(file) = &files.index else {
        let corruption = Corruption {
            file: super::INDEX_FILE.into(),
            section: Section::Header,
            offset: 0,
            fault: Fault::Missing,
        };
        found.problems.add(ProblemKind::IndexMissing, corruption.to_string());
        return found;
    };
    match IndexReader::open(file.clone()) {
        Ok(index) => examine_index(&index, segments.as_ref(), (min_time, max_time), &mut found),
        Err(corruption) => found.problems.add_corruption(&corruption),
    }
    found
}

/// The segments, unless one of them cannot be used: their numbers say where chunks are, so none may be left out.
fn open_segments(files: &BlockFiles, problems: &mut Problems) -> Option<Segments> {
    let mut whole = true;
    for (number, file) in files.segments.iter().enumerate() {
        let name = segment_name(u32::try_from(number).unwrap_or(u32::MAX));
        if **file.name() != *name {
            problems.add(ProblemKind::SegmentMissing, format!("{name} is not there, {} is", file.name()));
            return None;
        }
        if let Err(corruption) = check_header(file) {
            problems.add_corruption(&corruption);
            whole = false;
        }
    }
    if !whole {
        return None;
    }
    Segments::open(files.segments.clone()).ok()
}

fn examine_index(
    index: &IndexReader,
    segments: Option<&Segments>,
    range: (i64, i64),
    found: &mut Examination,
) {
    let mut labels = LabelCounts::default();
    let mut one = SeriesExamination::new(index, segments, range);
    let mut series = Series::default();
    let mut all: Vec<SeriesRef> = Vec::new();
    let mut reader = index.series_reader();
    match index.all_postings() {
        Ok(postings) => {
            for reference in postings.iter() {
                all.push(reference);
                match reader.read(reference, &mut series) {
                    Ok(()) => one.look(&series, &mut labels, found),
                    Err(corruption) => found.problems.add_corruption(&corruption),
                }
            }
            let listed = all.len() as u64;
            let mut stored = 0_u64;
            let mut scan = index.scan();
            // Faults of single series were found above; here it is counted what the list leaves out.
            while let Ok(true) = scan.next_into(&mut series) {
                stored = stored.saturating_add(1);
            }
            if stored > listed {
                let detail = format!("the list of all series has {listed} of the {stored} that are stored");
                found.problems.add(ProblemKind::IndexPostings, detail);
            }
        }
        Err(corruption) => {
            found.problems.add_corruption(&corruption);
            let mut scan = index.scan();
            loop {
                match scan.next_into(&mut series) {
                    Ok(true) => one.look(&series, &mut labels, found),
                    Ok(false) => break,
                    Err(corruption) => {
                        found.problems.add_corruption(&corruption);
                        break;
                    }
                }
            }
        }
    }
    // Lists can only be judged against series that could all be read.
    let series_are_whole =
        !found.problems.has(ProblemKind::IndexSeries) && !found.problems.has(ProblemKind::IndexSymbols);
    labels.compare(index, series_are_whole, &mut found.problems);
}
