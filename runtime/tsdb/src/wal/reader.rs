//! Reads the records of a log from start to end.

use std::sync::Arc;

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{At, Reader, crc32c};
use crate::fs::{Fs, RangeRead};

use super::fragment::{HEADER_SIZE, Kind, Packing, Part, RECORD_SIZE_MAX, unpack};
use super::segment::{PAGE_SIZE, SegmentFile};

/// Bytes that are read from the disk at once.
const WINDOW: u64 = 32 * PAGE_SIZE as u64;
const PAGE: u64 = PAGE_SIZE as u64;

/// How a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEnd {
    /// After a record.
    Clean,
    /// Within a record, which a crash cut off: it was never acknowledged.
    Torn {
        /// The bytes before it.
        offset: u64,
    },
}

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordStart {
    /// The number of the segment.
    pub segment: u64,
    /// Bytes from the start of the segment.
    pub offset: u64,
}

/// Reads one segment.
#[derive(Debug)]
pub struct SegmentReader {
    source: Arc<dyn RangeRead>,
    name: Arc<str>,
    window: Vec<u8>,
    window_start: u64,
    /// The next fragment.
    offset: u64,
    /// The first fragment of the record that was read last.
    start: u64,
    /// The end of the last whole record.
    good: u64,
    packed: Vec<u8>,
    record: Vec<u8>,
    end: Option<LogEnd>,
}

enum Next {
    Fragment { kind: Kind, data: (usize, usize) },
    Padding,
    End,
    CutOff,
}

impl SegmentReader {
    /// Reads a segment that is called `name` in reports.
    pub fn new(source: Arc<dyn RangeRead>, name: Arc<str>) -> Self {
        let (window, packed, record) = (Vec::new(), Vec::new(), Vec::new());
        let (window_start, offset, start, good) = (0, 0, 0, 0);
        SegmentReader { source, name, window, window_start, offset, start, good, packed, record, end: None }
    }

    /// The bytes up to the end of the last whole record; all that a repair keeps.
    pub const fn good_bytes(&self) -> u64 {
        self.good
    }

    /// The record that was read last.
    pub(super) const fn record(&self) -> &[u8] {
        self.record.as_slice()
    }

    /// How the segment ended, once it has.
    pub const fn end(&self) -> Option<LogEnd> {
        self.end
    }

    /// Damage in the content of the record that was read last.
    fn record_fault(&self, at: At) -> Corruption {
        self.fault(self.start, at.fault)
    }

    /// Reads on in the file as it has grown since.
    pub(super) fn resume(&mut self, source: Arc<dyn RangeRead>) {
        (self.source, self.end, self.offset) = (source, None, self.good);
        self.window.clear();
    }

    fn fault(&self, offset: u64, fault: Fault) -> Corruption {
        Corruption { file: self.name.clone(), section: Section::Record, offset, fault }
    }

    /// The next record, decompressed. `None` at the end, which [`SegmentReader::end`] describes.
    ///
    /// # Errors
    /// [`Corruption`] where the bytes are damaged or unreadable; the reader stays there.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, Corruption> {
        if self.end.is_some() {
            return Ok(None);
        }
        self.packed.clear();
        let (mut within, mut packing, mut start) = (false, Packing::None, self.offset);
        loop {
            let at = self.offset;
            match self.next_fragment()? {
                Next::Padding => {}
                Next::End if within => return Ok(self.finish(LogEnd::Torn { offset: self.good })),
                Next::End => return Ok(self.finish(LogEnd::Clean)),
                Next::CutOff => return Ok(self.finish(LogEnd::Torn { offset: self.good })),
                Next::Fragment { kind, data: (from, to) } => {
                    let opens = matches!(kind.part, Part::Full | Part::First);
                    if opens == within {
                        let rule = "a fragment that does not follow the one before";
                        return Err(self.fault(at, Fault::Rule(rule)));
                    }
                    if opens {
                        (within, start, packing) = (true, at, kind.packing);
                    } else if kind.packing != packing {
                        return Err(
                            self.fault(at, Fault::Rule("fragments of one record, packed differently"))
                        );
                    }
                    if self.packed.len() + (to - from) > RECORD_SIZE_MAX {
                        return Err(self.fault(at, Fault::Rule("a record longer than 256 MiB")));
                    }
                    self.packed.extend_from_slice(self.window.get(from..to).unwrap_or_default());
                    if matches!(kind.part, Part::Full | Part::Last) {
                        break;
                    }
                }
            }
        }
        self.start = start;
        unpack(packing, &self.packed, &mut self.record).map_err(|fault| self.fault(start, fault))?;
        self.good = self.offset;
        Ok(Some(&self.record))
    }

    const fn finish(&mut self, end: LogEnd) -> Option<&[u8]> {
        self.end = Some(end);
        None
    }

    /// The fragment at `offset`, with its data as a range of the window.
    fn next_fragment(&mut self) -> Result<Next, Corruption> {
        let (offset, length) = (self.offset, self.source.len());
        if offset >= length {
            return Ok(Next::End);
        }
        let page_end = (offset / PAGE + 1) * PAGE;
        let (from, to) = self.load(offset, page_end.min(length))?;
        let page = self.window.get(from..to).unwrap_or_default();
        let mut reader = Reader::new(page, offset);
        let whole_page = page_end <= length;
        let header = (|| Ok((reader.u8()?, reader.u16()?, reader.u32()?)))();
        let (byte, size, expected) = match (page.first(), header) {
            (Some(0), _) => {
                if let Some(at) = page.iter().position(|byte| *byte != 0) {
                    return Err(self.fault(offset + at as u64, Fault::Rule("bytes after the end of a page")));
                }
                self.offset = page_end.min(length);
                return Ok(Next::Padding);
            }
            (_, Ok(header)) => header,
            (_, Err(_)) if !whole_page => return Ok(Next::CutOff),
            (_, Err(At { offset, fault })) => return Err(self.fault(offset, fault)),
        };
        let kind = Kind::read(byte).map_err(|fault| self.fault(offset, fault))?;
        let data = match reader.take(usize::from(size)) {
            Ok(data) => data,
            Err(_) if !whole_page => return Ok(Next::CutOff),
            Err(At { fault, .. }) => return Err(self.fault(offset, fault)),
        };
        let found = crc32c(data);
        if found != expected {
            return Err(self.fault(offset, Fault::Checksum { expected, found }));
        }
        self.offset = reader.offset();
        let from = from + HEADER_SIZE;
        Ok(Next::Fragment { kind, data: (from, from + usize::from(size)) })
    }

    /// Makes the bytes from `from` to `to`, which lie in one page, part of the window; gives their place there.
    fn load(&mut self, from: u64, to: u64) -> Result<(usize, usize), Corruption> {
        let window_end = self.window_start + self.window.len() as u64;
        if from < self.window_start || to > window_end {
            let start = from / PAGE * PAGE;
            let length = WINDOW.min(self.source.len() - start);
            self.window.resize(length as usize, 0);
            self.window_start = start;
            if let Err(error) = self.source.read_exact_at(&mut self.window, start) {
                self.window.clear();
                return Err(self.fault(start, Fault::Io(error.to_string().into())));
            }
        }
        Ok(((from - self.window_start) as usize, (to - self.window_start) as usize))
    }
}

/// Reads the records of a log, segment after segment.
#[derive(Debug)]
pub struct RecordReader<'a> {
    fs: &'a dyn Fs,
    segments: Vec<SegmentFile>,
    /// The segment after the current one.
    next: usize,
    current: Option<SegmentReader>,
    torn: Option<u64>,
    /// A segment that is not there, or does not follow the one before.
    unreached: Option<u64>,
}

impl<'a> RecordReader<'a> {
    /// Reads these segments, which [`super::segments`] lists.
    pub const fn new(fs: &'a dyn Fs, segments: Vec<SegmentFile>) -> Self {
        RecordReader { fs, segments, next: 0, current: None, torn: None, unreached: None }
    }

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// [`Corruption`]: damaged or unreadable bytes, a missing segment, a segment other than the last that ends within a record.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, Corruption> {
        loop {
            if let Some(current) = &mut self.current
                && current.next_record()?.is_some()
            {
                break;
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
        Ok(self.current.as_ref().map(|current| current.record()))
    }

    fn advance(&mut self) -> Result<bool, Corruption> {
        let last = self.next == self.segments.len();
        if let Some(current) = &self.current
            && let Some(LogEnd::Torn { offset }) = current.end
        {
            if !last {
                let missing = 1;
                return Err(current.fault(offset, Fault::Short { missing }));
            }
            self.torn = Some(offset);
        }
        let Some(segment) = self.segments.get(self.next) else {
            return Ok(false);
        };
        if let Some(before) = self.next.checked_sub(1).and_then(|at| self.segments.get(at))
            && before.index + 1 != segment.index
        {
            let fault = Fault::Rule("the segment before this one is missing");
            self.unreached = Some(segment.index);
            return Err(Corruption {
                file: segment.name.clone(),
                section: Section::Record,
                offset: 0,
                fault,
            });
        }
        let source = self.fs.open(&segment.path).map_err(|error| {
            let fault = match error.kind() {
                std::io::ErrorKind::NotFound => Fault::Missing,
                _ => Fault::Io(error.to_string().into()),
            };
            Corruption { file: segment.name.clone(), section: Section::Record, offset: 0, fault }
        })?;
        self.current = Some(SegmentReader::new(source, segment.name.clone()));
        self.next += 1;
        Ok(true)
    }

    /// The segment that is being read; the last one at the end. `None` before the first record.
    pub fn segment(&self) -> Option<&SegmentFile> {
        self.next.checked_sub(1).and_then(|at| self.segments.get(at))
    }

    /// Where the record that was read last begins.
    pub fn start(&self) -> Option<RecordStart> {
        let offset = self.current.as_ref()?.start;
        Some(RecordStart { segment: self.segment()?.index, offset })
    }

    /// After damage: the segment from which on nothing can be read, and how many of its bytes hold whole records; `None` where
    /// it is the segments before it that are missing. For [`super::set_aside`].
    pub fn damaged_at(&self) -> (u64, Option<u64>) {
        if let Some(index) = self.unreached {
            return (index, None);
        }
        let good = self.current.as_ref().map_or(0, SegmentReader::good_bytes);
        (self.segment().map_or(0, |segment| segment.index), Some(good))
    }

    /// The record that was read last is damaged in its content: it is not among the good bytes.
    pub const fn reject_record(&mut self) {
        if let Some(current) = &mut self.current {
            current.good = current.start;
        }
    }

    /// Where in the last segment a record begins that a crash cut off.
    pub const fn torn(&self) -> Option<u64> {
        self.torn
    }

    /// Damage in the content of the record that was read last.
    pub fn record_fault(&self, at: At) -> Corruption {
        match &self.current {
            Some(current) => current.record_fault(at),
            None => Corruption { file: "wal".into(), section: Section::Record, offset: 0, fault: at.fault },
        }
    }
}
