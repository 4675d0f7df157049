//! The kinds of what can be wrong with a block, and how much of each was found.

use crate::corruption::{Corruption, Fault, Section};

/// What is wrong with a block. The code of each never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProblemKind {
    /// There is no index.
    IndexMissing,
    /// The index does not begin as one.
    IndexHeader,
    /// The table of contents is damaged; also when the index was cut, or something was appended.
    IndexToc,
    /// The symbol table is damaged.
    IndexSymbols,
    /// A series cannot be read.
    IndexSeries,
    /// A label index (format 1) is damaged.
    IndexLabelIndex,
    /// A list of postings is damaged, or does not have exactly the series that it should.
    IndexPostings,
    /// The postings offset table is damaged.
    IndexPostingsTable,
    /// Series are not sorted by their labels.
    SeriesOrder,
    /// Two series have the same labels.
    SeriesDuplicate,
    /// The labels of a series are not sorted by name, one occurs twice, or one has no value.
    SeriesLabels,
    /// A series has no labels.
    SeriesNoLabels,
    /// A series has no metric name.
    SeriesNoName,
    /// A label is not UTF-8.
    SeriesUtf8,
    /// A series has no chunks.
    SeriesNoChunks,
    /// A segment does not begin as one.
    SegmentHeader,
    /// A segment is not there.
    SegmentMissing,
    /// A chunk cannot be read: it ends behind its segment, or its length is impossible.
    ChunkUnreadable,
    /// A chunk has another checksum than the one that is stored.
    ChunkChecksum,
    /// A chunk has an encoding that nobody has defined.
    ChunkEncoding,
    /// A chunk's bytes are not what its encoding and its header say, although the checksum is right.
    ChunkData,
    /// The samples in a chunk go back in time.
    ChunkSampleOrder,
    /// The index gives a chunk another range of time than its samples have.
    ChunkTimeRange,
    /// A chunk lies outside of the block's range of time.
    ChunkOutsideBlock,
    /// The chunks of a series are not sorted by time.
    ChunkOrder,
    /// A series has a chunk twice.
    ChunkDuplicate,
    /// Chunks of a series share time and differ.
    ChunkOverlap,
    /// A chunk has no samples.
    ChunkEmpty,
    /// A chunk lies partly outside of the block's range of time.
    ChunkExceedsBlock,
    /// A segment has chunks that belong to no series.
    ChunkUnreferenced,
    /// A segment ends with bytes that are no chunk.
    SegmentTrailing,
    /// The tombstones are damaged.
    Tombstones,
    /// Tombstones name a series that is not there.
    TombstonesUnknownSeries,
}

impl ProblemKind {
    /// The code, as in `chunk-checksum`.
    pub const fn code(self) -> &'static str {
        match self {
            ProblemKind::IndexMissing => "index-missing",
            ProblemKind::IndexHeader => "index-header",
            ProblemKind::IndexToc => "index-toc",
            ProblemKind::IndexSymbols => "index-symbols",
            ProblemKind::IndexSeries => "index-series",
            ProblemKind::IndexLabelIndex => "index-label-index",
            ProblemKind::IndexPostings => "index-postings",
            ProblemKind::IndexPostingsTable => "index-postings-table",
            ProblemKind::SeriesOrder => "series-order",
            ProblemKind::SeriesDuplicate => "series-duplicate",
            ProblemKind::SeriesLabels => "series-labels",
            ProblemKind::SeriesNoLabels => "series-no-labels",
            ProblemKind::SeriesNoName => "series-no-name",
            ProblemKind::SeriesUtf8 => "series-utf8",
            ProblemKind::SeriesNoChunks => "series-no-chunks",
            ProblemKind::SegmentHeader => "segment-header",
            ProblemKind::SegmentMissing => "segment-missing",
            ProblemKind::ChunkUnreadable => "chunk-unreadable",
            ProblemKind::ChunkChecksum => "chunk-checksum",
            ProblemKind::ChunkEncoding => "chunk-encoding",
            ProblemKind::ChunkData => "chunk-data",
            ProblemKind::ChunkSampleOrder => "chunk-sample-order",
            ProblemKind::ChunkTimeRange => "chunk-time-range",
            ProblemKind::ChunkOutsideBlock => "chunk-outside-block",
            ProblemKind::ChunkOrder => "chunk-order",
            ProblemKind::ChunkDuplicate => "chunk-duplicate",
            ProblemKind::ChunkOverlap => "chunk-overlap",
            ProblemKind::ChunkEmpty => "chunk-empty",
            ProblemKind::ChunkExceedsBlock => "chunk-exceeds-block",
            ProblemKind::ChunkUnreferenced => "chunk-unreferenced",
            ProblemKind::SegmentTrailing => "segment-trailing",
            ProblemKind::Tombstones => "tombstones",
            ProblemKind::TombstonesUnknownSeries => "tombstones-unknown-series",
        }
    }

    /// Whether samples are lost, wrong or hidden. If not, a rule is broken and all samples can be read.
    pub const fn is_damage(self) -> bool {
        !matches!(
            self,
            ProblemKind::SeriesLabels
                | ProblemKind::SeriesNoName
                | ProblemKind::SeriesUtf8
                | ProblemKind::SeriesNoChunks
                | ProblemKind::ChunkDuplicate
                | ProblemKind::ChunkEmpty
                | ProblemKind::ChunkUnreferenced
                | ProblemKind::SegmentTrailing
                | ProblemKind::IndexLabelIndex
                | ProblemKind::TombstonesUnknownSeries
        )
    }

    /// The kind of a fault that a reader has met.
    pub fn of(corruption: &Corruption) -> Self {
        match (corruption.section, &corruption.fault) {
            (Section::Toc, _) => ProblemKind::IndexToc,
            (Section::Symbols, _) => ProblemKind::IndexSymbols,
            (Section::Series, Fault::Utf8(_)) => ProblemKind::SeriesUtf8,
            (Section::Series, _) => ProblemKind::IndexSeries,
            (Section::LabelIndex | Section::LabelIndexTable, _) => ProblemKind::IndexLabelIndex,
            (Section::Postings, _) => ProblemKind::IndexPostings,
            (Section::PostingsTable, _) => ProblemKind::IndexPostingsTable,
            (Section::Tombstones, _) => ProblemKind::Tombstones,
            (Section::Chunk, Fault::Missing) => ProblemKind::SegmentMissing,
            (Section::Chunk, Fault::Checksum { .. }) => ProblemKind::ChunkChecksum,
            (Section::Chunk, _) => ProblemKind::ChunkUnreadable,
            (_, _) if corruption.file.starts_with(super::super::CHUNKS_FOLDER) => ProblemKind::SegmentHeader,
            (_, Fault::Missing) => ProblemKind::IndexMissing,
            (_, _) => ProblemKind::IndexHeader,
        }
    }
}

/// All that was found of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it is.
    pub kind: ProblemKind,
    /// The first places, for people.
    pub examples: Vec<String>,
    /// How many there are.
    pub count: u64,
    /// Whether [`super::super::repair`] mends all of them without the loss of a sample.
    pub repairable: bool,
}

/// What is wrong with a block, by kind; bounded, however much that is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(Vec<Problem>);

/// Places that are kept of each kind.
const EXAMPLES_MAX: usize = 3;
/// Labels can be long.
const EXAMPLE_CHARACTERS_MAX: usize = 400;

impl Problems {
    /// Adds what is wrong at a byte of a file.
    pub(super) fn add(
        &mut self,
        kind: ProblemKind,
        file: &str,
        offset: u64,
        repairable: bool,
        detail: impl FnOnce() -> String,
    ) {
        let known = self.0.iter_mut().find(|problem| problem.kind == kind);
        let problem = match known {
            Some(problem) => problem,
            None => {
                self.0.push(Problem { kind, examples: Vec::new(), count: 0, repairable: true });
                let Some(added) = self.0.last_mut() else { return };
                added
            }
        };
        problem.count = problem.count.saturating_add(1);
        problem.repairable &= repairable;
        if problem.examples.len() < EXAMPLES_MAX {
            let mut example = format!("{file} at byte {offset}: {}", detail());
            if let Some((end, _)) = example.char_indices().nth(EXAMPLE_CHARACTERS_MAX) {
                example.truncate(end);
                example.push('…');
            }
            problem.examples.push(example);
        }
    }

    pub(super) fn add_corruption(&mut self, corruption: &Corruption, repairable: bool) {
        let Corruption { file, section, offset, fault } = corruption;
        let kind = ProblemKind::of(corruption);
        self.add(kind, file, *offset, repairable, || format!("{section}: {fault}"));
    }

    /// Whether all that is wrong can be mended without the loss of a sample.
    pub fn are_repairable(&self) -> bool {
        self.0.iter().all(|problem| problem.repairable)
    }

    /// Whether something of this kind was found.
    pub fn has(&self, kind: ProblemKind) -> bool {
        self.0.iter().any(|problem| problem.kind == kind)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was found, in the order in which it was met.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}
