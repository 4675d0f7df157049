//! The chunks that all blocks have of one series, in one piece of memory, without what was deleted.

use std::ops::Range;

use tsdb::block::{BlockReader, ChunkData, Interval};
use tsdb::chunk::{Aggregate, AggregateChunk, ChunkError, Encoding, Scratch, sample_count, summarise};
use tsdb::{BlockId, Corruption};

use crate::SourceFault;
use crate::verify::{Account, SourceRead};

use super::decoded::Decoded;
use super::encode::Encoder;
use super::heads::Source;
use super::windows::Windows;

/// What is wrong with a chunk.
#[derive(Debug)]
pub(super) enum What {
    /// It cannot be read.
    Unreadable(Corruption),
    /// Its bytes are no samples.
    Chunk(ChunkError),
    /// A rule is broken.
    Rule(&'static str),
}

impl What {
    pub(super) fn of_series(self, labels: String) -> SourceFault {
        match self {
            What::Unreadable(source) => SourceFault::Unreadable { labels, source: Box::new(source) },
            What::Chunk(source) => SourceFault::Chunk { labels, source },
            What::Rule(rule) => SourceFault::Series { labels, rule },
        }
    }
}

impl From<ChunkError> for What {
    fn from(error: ChunkError) -> Self {
        What::Chunk(error)
    }
}

/// What is wrong with a chunk, and whose it is.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) block: BlockId,
    pub(super) what: What,
}

/// A chunk in memory.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) encoding: Encoding,
    /// As its header counts.
    pub(super) samples: u64,
    /// Where its bytes are.
    pub(super) bytes: Range<usize>,
    /// The block it is from.
    pub(super) block: BlockId,
    /// Its samples are known to be what its header and its times say.
    pub(super) is_checked: bool,
}

impl Chunk {
    pub(super) fn bad(&self, what: impl Into<What>) -> Bad {
        Bad { block: self.block, what: what.into() }
    }

    /// Whether these, of the first sample and of the last, are its times.
    pub(super) fn check_times(&self, times: Option<(i64, i64)>) -> Result<(), What> {
        match times {
            None => Err(What::Rule("a chunk without samples")),
            Some(times) if times != (self.min_time, self.max_time) => {
                Err(What::Rule("a chunk whose times are not those of its samples"))
            }
            Some(_) => Ok(()),
        }
    }
}

/// One series.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The times of the new block, inclusive.
    wanted: Interval,
    pub(super) account: Account,
    /// The bytes of all chunks, also of those that were made.
    pub(super) bytes: Vec<u8>,
    /// The chunks of the blocks, one block after another, of each in the order of time.
    pub(super) chunks: Vec<Chunk>,
    /// The chunks of each block.
    pub(super) lists: Vec<Range<usize>>,
    /// What the new block gets.
    pub(super) made: Vec<Chunk>,
    pub(super) scratch: Scratch,
    cutter: Cutter,
}

impl Gathered {
    pub(super) fn new(blocks: &[BlockReader], wanted: Interval) -> Self {
        let read = blocks.iter().map(|block| SourceRead::new(block.meta(), 0)).collect();
        Gathered {
            wanted,
            account: Account { read, ..Account::default() },
            bytes: Vec::new(),
            chunks: Vec::new(),
            lists: Vec::new(),
            made: Vec::new(),
            scratch: Scratch::default(),
            cutter: Cutter::default(),
        }
    }

    /// Forgets the series.
    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        self.chunks.clear();
        self.lists.clear();
        self.made.clear();
    }

    /// Adds the chunks that a block has of the series.
    pub(super) fn add(&mut self, source: &mut Source<'_>) -> Result<(), What> {
        let first = self.chunks.len();
        let deleted = source.deleted();
        for at in 0..source.chunks() {
            self.add_chunk(source, at, deleted)?;
        }
        self.lists.push(first..self.chunks.len());
        Ok(())
    }

    fn add_chunk(&mut self, source: &mut Source<'_>, at: usize, deleted: &[Interval]) -> Result<(), What> {
        let number = source.number();
        let Some((meta, stored)) = source.chunk(at)? else { return Ok(()) };
        let encoding = Encoding::from_u8(stored.encoding).map_err(|fault| ChunkError { at: 0, fault })?;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(stored.data);
        let samples = u64::from(sample_count(encoding, stored.data)?);
        if let Some(read) = self.account.read.get_mut(number) {
            read.samples = read.samples.saturating_add(samples);
        }
        let chunk = Chunk {
            min_time: meta.min_time,
            max_time: meta.max_time,
            encoding,
            samples,
            bytes: start..self.bytes.len(),
            block: source.block(),
            is_checked: false,
        };
        let (first, last) = (chunk.min_time, chunk.max_time);
        let inside = self.wanted.covers(first, last);
        let touched = !deleted.is_empty()
            && deleted.iter().any(|interval| interval.min_time <= last && first <= interval.max_time);
        if inside && !touched {
            self.chunks.push(chunk);
            return Ok(());
        }
        self.check(&chunk)?;
        let cut = Cut { wanted: self.wanted, deleted };
        self.cutter.cut(&chunk, &cut, &mut self.bytes, &mut self.chunks, &mut self.account)
    }

    /// Decodes a chunk for the sake of what is wrong with it.
    pub(super) fn check(&mut self, chunk: &Chunk) -> Result<(), What> {
        if chunk.is_checked {
            return Ok(());
        }
        let data = self.bytes.get(chunk.bytes.clone()).unwrap_or(&[]);
        let mut summary = summarise(chunk.encoding, data, &mut self.scratch)?;
        if chunk.encoding == Encoding::Aggregate
            && let Some(counts) = AggregateChunk::new(data)?.get(Aggregate::Count)
        {
            // A counter begins with a raw sample of its first window, which is none of the windows.
            summary = summarise(counts.encoding, counts.data, &mut self.scratch)?;
        }
        chunk.check_times(summary.times)
    }

    /// What the new block gets of the series.
    pub(super) fn for_block(&self) -> impl Iterator<Item = ChunkData<'_>> {
        self.made.iter().map(|chunk| ChunkData {
            min_time: chunk.min_time,
            max_time: chunk.max_time,
            encoding: chunk.encoding,
            data: self.bytes.get(chunk.bytes.clone()).unwrap_or(&[]),
        })
    }
}

/// Which samples of a chunk are left.
struct Cut<'a> {
    wanted: Interval,
    deleted: &'a [Interval],
}

/// Why a sample is left out.
enum Loss {
    Outside,
    Deleted,
}

impl Cut<'_> {
    fn loss(&self, time: i64) -> Option<Loss> {
        if !self.wanted.contains(time) {
            return Some(Loss::Outside);
        }
        self.deleted.iter().any(|interval| interval.contains(time)).then_some(Loss::Deleted)
    }
}

/// Makes new chunks of what is left of one.
#[derive(Debug, Default)]
struct Cutter {
    decoded: Decoded,
    windows: Windows,
    encoder: Encoder,
    rows: Vec<u32>,
}

impl Cutter {
    fn cut(
        &mut self,
        chunk: &Chunk,
        cut: &Cut<'_>,
        bytes: &mut Vec<u8>,
        into: &mut Vec<Chunk>,
        account: &mut Account,
    ) -> Result<(), What> {
        let data = bytes.get(chunk.bytes.clone()).unwrap_or(&[]);
        let times = if chunk.encoding == Encoding::Aggregate {
            self.windows.clear();
            self.windows.add(data)?;
            self.windows.times()
        } else {
            self.decoded.clear();
            self.decoded.add(chunk.encoding, data)?;
            self.decoded.times()
        };
        self.rows.clear();
        for (row, time) in (0u32..).zip(times) {
            match cut.loss(*time) {
                None => self.rows.push(row),
                Some(Loss::Outside) => account.outside = account.outside.saturating_add(1),
                Some(Loss::Deleted) => account.deleted = account.deleted.saturating_add(1),
            }
        }
        if self.rows.len() == times.len() {
            // What is deleted lies between its samples.
            into.push(Chunk { is_checked: true, ..chunk.clone() });
            return Ok(());
        }
        let limit = u16::MAX;
        if chunk.encoding == Encoding::Aggregate {
            self.windows.encode(&self.rows, limit, chunk.block, bytes, into);
        } else {
            self.encoder.encode(&self.decoded, &self.rows, limit, chunk.block, bytes, into);
        }
        Ok(())
    }
}
