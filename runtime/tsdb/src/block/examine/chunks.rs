//! The chunks of each series, and the segments between them.

use std::ops::Range;
use std::sync::Arc;

use crate::block::segments::{HEADER_BYTES, check_header, read_chunk};
use crate::block::{INDEX_FILE, segment_name};
use crate::chunk::{Aggregate, AggregateChunk, ChunkError, Encoding, Scratch, Summary, summarise};
use crate::corruption::{Fault, Section};
use crate::encoding::{Reader, crc32c};
use crate::index::{ChunkMeta, Series};
use crate::stored::{StoredFile, Window};

use super::{Examination, ProblemKind, Problems};

/// Walks over the chunks of all series, in the order of the index, and over what lies between them.
pub(super) struct ChunkPass<'a> {
    pub(super) found: &'a mut Examination,
    range: (i64, i64),
    segments: Vec<Place>,
    scratch: Scratch,
    index_name: Arc<str>,
    seen: Vec<Seen>,
    gaps: Vec<Gap>,
}

/// What stands under a segment's number.
enum Place {
    Missing,
    /// Shorter than its header; that was told.
    Empty,
    Segment(Segment),
}

struct Segment {
    window: Window,
    /// Up to here every byte was looked at; `None` after a chunk whose end is unknown.
    covered: Option<u64>,
}

/// Chunks over which the references went; a reference may come back to them.
struct Gap {
    file: Arc<str>,
    range: Range<u64>,
    chunks: u64,
}

/// So many gaps are remembered; a block whose references jump more often has no order to speak of.
const GAPS_MAX: usize = 1024;

/// A chunk of the series at hand: equal ones have equal times, lengths and checksums.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    min_time: i64,
    max_time: i64,
    length: u64,
    sum: u32,
}

impl<'a> ChunkPass<'a> {
    pub(super) fn new(files: Vec<Option<StoredFile>>, range: (i64, i64), found: &'a mut Examination) -> Self {
        let mut segments = Vec::new();
        for (number, file) in (0u32..).zip(files) {
            let Some(file) = file else {
                let kind = ProblemKind::SegmentMissing;
                found.problems.add(kind, &segment_name(number), 0, false, || "no such file".to_owned());
                segments.push(Place::Missing);
                continue;
            };
            let header = check_header(&file);
            if let Err(corruption) = &header {
                found.problems.add_corruption(corruption, false);
            }
            // Of one whose header is not as it should be, the chunks may well be.
            segments.push(match header {
                Err(corruption) if matches!(corruption.fault, Fault::Short { .. }) => Place::Empty,
                _ => Place::Segment(Segment { window: Window::new(file), covered: Some(HEADER_BYTES) }),
            });
        }
        let (scratch, index_name) = (Scratch::default(), INDEX_FILE.into());
        ChunkPass { found, range, segments, scratch, index_name, seen: Vec::new(), gaps: Vec::new() }
    }

    /// Reads the chunks of a series and looks at their order. `at` is where the series stands in the index.
    pub(super) fn series(&mut self, at: u64, series: &Series, labels: &mut dyn FnMut() -> String) {
        let chunks = &mut self.found.counts.chunks;
        *chunks = chunks.saturating_add(series.chunks.len() as u64);
        self.seen.clear();
        for chunk in &series.chunks {
            self.range_of(at, chunk, labels);
            if let Some(seen) = self.read(at, chunk) {
                self.seen.push(seen);
            }
        }
        if series.chunks_are_in_order() {
            return;
        }
        let name = Arc::clone(&self.index_name);
        let mut seen = std::mem::take(&mut self.seen);
        let in_order = series.chunks.is_sorted_by(|one, next| one.min_time <= next.min_time);
        seen.sort_unstable();
        let before = seen.len();
        seen.dedup();
        let overlap = !seen.is_sorted_by(|one, next| one.max_time < next.min_time);
        if before > seen.len() {
            let twice = before.saturating_sub(seen.len());
            self.found.problems.add(ProblemKind::ChunkDuplicate, &name, at, true, || {
                format!("{twice} chunks are there more than once: {}", labels())
            });
        }
        if !in_order {
            self.found.problems.add(ProblemKind::ChunkOrder, &name, at, !overlap, &mut *labels);
        }
        if overlap {
            self.found.problems.add(ProblemKind::ChunkOverlap, &name, at, false, &mut *labels);
        }
        self.seen = seen;
    }

    fn range_of(&mut self, at: u64, chunk: &ChunkMeta, labels: &mut dyn FnMut() -> String) {
        let (start, end) = self.range;
        let outside = chunk.max_time < start || chunk.min_time >= end;
        let exceeds = chunk.min_time < start || chunk.max_time >= end;
        let kind = match (outside, exceeds) {
            (true, _) => ProblemKind::ChunkOutsideBlock,
            (false, true) => ProblemKind::ChunkExceedsBlock,
            (false, false) => return,
        };
        let (first, last) = (chunk.min_time, chunk.max_time);
        self.found.problems.add(kind, &self.index_name, at, false, || {
            format!("a chunk from {first} to {last}, the block from {start} to before {end}: {}", labels())
        });
    }

    /// Reads one chunk.
    fn read(&mut self, at: u64, chunk: &ChunkMeta) -> Option<Seen> {
        let (number, offset) = (chunk.reference.segment(), u64::from(chunk.reference.offset()));
        let problems = &mut self.found.problems;
        let segment = match self.segments.get_mut(number as usize) {
            Some(Place::Segment(segment)) => segment,
            Some(Place::Empty) => return None,
            Some(Place::Missing) | None => {
                problems.add(ProblemKind::SegmentMissing, &self.index_name, at, false, || {
                    format!("chunk {} in a segment that is not there", chunk.reference)
                });
                return None;
            }
        };
        let name = Arc::clone(segment.window.file().name());
        match segment.covered {
            Some(covered) if covered < offset && offset < segment.window.file().len() => {
                let chunks = segment.walk(offset, problems);
                if chunks > 0 && self.gaps.len() < GAPS_MAX {
                    self.gaps.push(Gap { file: Arc::clone(&name), range: covered..offset, chunks });
                }
            }
            Some(covered) if offset < covered => {
                let back = |gap: &&mut Gap| gap.file == name && gap.range.contains(&offset);
                if let Some(gap) = self.gaps.iter_mut().find(back) {
                    gap.chunks = gap.chunks.saturating_sub(1);
                }
            }
            None => segment.covered = Some(offset),
            _ => {}
        }
        let (stored, end) = match read_chunk(&mut segment.window, offset) {
            Ok(found) => found,
            Err(corruption) => {
                segment.give_up(offset);
                problems.add_corruption(&corruption, false);
                return None;
            }
        };
        segment.covered = segment.covered.map(|covered| covered.max(end));
        let (length, sum) = (stored.data.len() as u64, crc32c(stored.data));
        let encoding = match Encoding::from_u8(stored.encoding) {
            Ok(encoding) => encoding,
            Err(fault) => {
                problems.add(ProblemKind::ChunkEncoding, &name, offset, false, || fault.to_string());
                return None;
            }
        };
        let summary = match judge(encoding, stored.data, &mut self.scratch) {
            Ok(summary) => summary,
            Err(error) => {
                let kind = match error.fault {
                    Fault::Order(_) => ProblemKind::ChunkSampleOrder,
                    _ => ProblemKind::ChunkData,
                };
                problems.add(kind, &name, offset, false, || format!("{encoding}: {error}"));
                return None;
            }
        };
        let counts = &mut self.found.counts;
        counts.samples = counts.samples.saturating_add(summary.samples);
        if encoding.is_histogram() {
            counts.histogram_samples = counts.histogram_samples.saturating_add(summary.samples);
        }
        let Some((first, last)) = summary.times else {
            problems.add(ProblemKind::ChunkEmpty, &name, offset, true, || "no samples".to_owned());
            return None;
        };
        if (first, last) != (chunk.min_time, chunk.max_time) {
            problems.add(ProblemKind::ChunkTimeRange, &self.index_name, at, true, || {
                let ChunkMeta { min_time, max_time, reference } = chunk;
                format!("chunk {reference} [{min_time}, {max_time}], its samples lie in [{first}, {last}]")
            });
        }
        counts.times = match counts.times {
            Some((start, end)) => Some((start.min(first), end.max(last))),
            None => Some((first, last)),
        };
        Some(Seen { min_time: first, max_time: last, length, sum })
    }

    /// Walks to the ends of all segments. `complete` says that all series were read.
    pub(super) fn finish(mut self, complete: bool) {
        for place in &mut self.segments {
            let Place::Segment(segment) = place else { continue };
            let (file, start) = (Arc::clone(segment.window.file().name()), segment.covered);
            let end = segment.window.file().len();
            let chunks = segment.walk(end, &mut self.found.problems);
            self.gaps.push(Gap { file, range: start.unwrap_or(HEADER_BYTES)..end, chunks });
        }
        // Where series or references are damaged, chunks without a series are no wonder.
        let lost = [ProblemKind::SegmentMissing, ProblemKind::ChunkUnreadable, ProblemKind::ChunkChecksum];
        if !complete || self.gaps.len() > GAPS_MAX || lost.iter().any(|kind| self.found.problems.has(*kind)) {
            return;
        }
        for Gap { file, range, chunks } in self.gaps.iter().filter(|gap| gap.chunks > 0) {
            self.found.problems.add(ProblemKind::ChunkUnreferenced, file, range.start, true, || {
                format!("{chunks} chunks from here to byte {} belong to no series", range.end)
            });
        }
    }
}

impl Segment {
    /// Looks at the chunks from where all was looked at up to `target`, to which no series refers. Gives their number.
    fn walk(&mut self, target: u64, problems: &mut Problems) -> u64 {
        let mut chunks = 0u64;
        while let Some(at) = self.covered.filter(|at| *at < target) {
            match read_chunk(&mut self.window, at) {
                Ok((_, end)) => {
                    chunks = chunks.saturating_add(1);
                    self.covered = Some(end);
                }
                Err(corruption) if matches!(corruption.fault, Fault::Checksum { .. }) => {
                    problems.add_corruption(&corruption, false);
                    self.give_up(at);
                }
                Err(corruption) => {
                    let kind = ProblemKind::SegmentTrailing;
                    problems.add(kind, &corruption.file, at, true, || corruption.fault.to_string());
                    self.covered = None;
                }
            }
        }
        chunks
    }

    /// Goes on behind a damaged chunk, where it is known where that is.
    fn give_up(&mut self, offset: u64) {
        let file = self.window.file().clone();
        let Ok(head) = self.window.peek(Section::Chunk, offset, 10, file.len()) else {
            self.covered = None;
            return;
        };
        let mut reader = Reader::new(head, offset);
        let end =
            reader.uvarint().ok().and_then(|length| reader.offset().checked_add(length)?.checked_add(5));
        self.covered = match (end, self.covered) {
            (Some(end), Some(covered)) if end <= file.len() => Some(end.max(covered)),
            _ => None,
        };
    }
}

/// The time of the first sample of a chunk and of the last; `None` where there are none.
pub(in crate::block) fn times_of(
    encoding: Encoding,
    data: &[u8],
    scratch: &mut Scratch,
) -> Result<Option<(i64, i64)>, ChunkError> {
    judge(encoding, data, scratch).map(|summary| summary.times)
}

/// Decodes a chunk. The time range of an aggregate chunk is that of its count: a counter keeps raw samples at its ends.
fn judge(encoding: Encoding, data: &[u8], scratch: &mut Scratch) -> Result<Summary, ChunkError> {
    let summary = summarise(encoding, data, scratch)?;
    if encoding != Encoding::Aggregate {
        return Ok(summary);
    }
    match AggregateChunk::new(data)?.get(Aggregate::Count) {
        Some(count) => summarise(count.encoding, count.data, scratch),
        None => Ok(summary),
    }
}
