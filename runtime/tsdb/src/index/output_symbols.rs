//! The symbols of an index that is to be written, in memory or in a scratch file.

use std::sync::Arc;

use crate::encoding::{Reader, put_uvarint_bytes};
use crate::stored::{Scratch, ScratchError, ScratchFile, ScratchOutput, ScratchReader};

use super::symbol_table::SymbolTable;

/// Of so many symbols one has its place in memory.
const SAMPLED: u32 = 32;
/// Bytes read at once by whoever looks for texts.
const PIECE_BYTES: usize = 16 << 10;

/// What an index writer takes as its symbols: a [`SymbolTable`], or what [`super::merge_symbols`] gives. Clones share it.
#[derive(Debug, Clone)]
pub struct OutputSymbols(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Held(Arc<SymbolTable>),
    Stored(Arc<StoredTable>),
}

/// A table in a file, each text behind its length as in an index.
#[derive(Debug)]
struct StoredTable {
    file: Arc<ScratchFile>,
    /// The offset of each 32nd.
    places: Vec<u64>,
    count: u32,
}

impl From<Arc<SymbolTable>> for OutputSymbols {
    fn from(table: Arc<SymbolTable>) -> Self {
        OutputSymbols(Kind::Held(table))
    }
}

impl OutputSymbols {
    /// How many there are.
    pub fn len(&self) -> u32 {
        match &self.0 {
            Kind::Held(table) => table.len(),
            Kind::Stored(table) => table.count,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads texts; quickest in the order of the symbols.
    pub fn texts(&self) -> SymbolTexts {
        let reader = match &self.0 {
            Kind::Held(_) => None,
            Kind::Stored(table) => Some(reader_at(table, 0)),
        };
        SymbolTexts { symbols: self.clone(), reader, next: 0, text: Vec::new() }
    }

    /// How many bytes the texts take in an index, each behind its length.
    pub(crate) fn encoded_bytes(&self) -> u64 {
        match &self.0 {
            Kind::Held(table) => {
                let length = |text: &str| {
                    let bits = (usize::BITS - text.len().leading_zeros()).max(1);
                    u64::from(bits.div_ceil(7)).saturating_add(text.len() as u64)
                };
                table.iter().map(length).sum()
            }
            Kind::Stored(table) => table.file.len(),
        }
    }

    /// Hands the texts, each behind its length, to `take` in pieces.
    pub(crate) fn encoded<E: From<ScratchError>>(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let piece = 64 << 10;
        match &self.0 {
            Kind::Held(table) => {
                let mut bytes = Vec::with_capacity(piece);
                for text in table.iter() {
                    put_uvarint_bytes(&mut bytes, text.as_bytes());
                    if bytes.len() >= piece {
                        take(&bytes)?;
                        bytes.clear();
                    }
                }
                take(&bytes)
            }
            Kind::Stored(table) => {
                let mut reader = ScratchReader::new(Arc::clone(&table.file), 0, table.file.len(), piece);
                loop {
                    let bytes = reader.peek(1)?;
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    let taken = bytes.len();
                    take(bytes)?;
                    reader.skip(taken);
                }
            }
        }
    }
}

/// Reads texts of symbols.
#[derive(Debug)]
pub struct SymbolTexts {
    symbols: OutputSymbols,
    reader: Option<ScratchReader>,
    /// The symbol at which the reader stands.
    next: u32,
    text: Vec<u8>,
}

impl SymbolTexts {
    /// The text of a symbol, `None` for one that is not in the table.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn get(&mut self, symbol: u32) -> Result<Option<&str>, ScratchError> {
        let table = match &self.symbols.0 {
            Kind::Held(table) => return Ok(table.get(symbol)),
            Kind::Stored(table) => table,
        };
        if symbol >= table.count {
            return Ok(None);
        }
        let group = symbol / SAMPLED;
        let reader = self.reader.get_or_insert_with(|| reader_at(table, 0));
        if symbol < self.next || group > self.next / SAMPLED {
            let place = table.places.get(group as usize).copied().unwrap_or(0);
            let ahead = place.checked_sub(reader.offset()).filter(|ahead| *ahead < PIECE_BYTES as u64);
            match ahead {
                // Most often it is in the buffer.
                Some(ahead) if symbol >= self.next => {
                    reader.peek(ahead as usize)?;
                    reader.skip(ahead as usize);
                }
                _ => *reader = reader_at(table, place),
            }
            self.next = group.saturating_mul(SAMPLED);
        }
        while self.next <= symbol {
            let wanted = self.next == symbol;
            let (length, bytes) = text_at(reader)?;
            if wanted {
                self.text.clear();
                self.text.extend_from_slice(bytes);
            }
            reader.skip(length);
            self.next = self.next.saturating_add(1);
        }
        // They were texts when they were written.
        Ok(std::str::from_utf8(&self.text).ok())
    }
}

fn reader_at(table: &StoredTable, place: u64) -> ScratchReader {
    ScratchReader::new(Arc::clone(&table.file), place, table.file.len(), PIECE_BYTES)
}

/// The next text, and the bytes it takes with its length.
fn text_at(reader: &mut ScratchReader) -> Result<(usize, &[u8]), ScratchError> {
    let head = reader.peek(10)?;
    let mut length = Reader::new(head, 0);
    let text = usize::try_from(length.uvarint().unwrap_or(0)).unwrap_or(0);
    let start = length.offset() as usize;
    let end = start.saturating_add(text);
    let bytes = reader.peek(end)?;
    Ok((end, bytes.get(start..end).unwrap_or(&[])))
}

/// Collects texts that ascend.
#[derive(Debug)]
pub(crate) struct OutputSymbolsBuilder {
    scratch: Scratch,
    bytes_max: usize,
    held: SymbolTable,
    spilled: Option<Spilled>,
}

#[derive(Debug)]
struct Spilled {
    out: ScratchOutput,
    places: Vec<u64>,
    count: u32,
}

impl Spilled {
    fn push(&mut self, text: &str) -> Result<(), ScratchError> {
        if self.count.is_multiple_of(SAMPLED) {
            self.places.push(self.out.position());
        }
        put_uvarint_bytes(self.out.buffer(), text.as_bytes());
        self.count = self.count.saturating_add(1);
        self.out.drain()
    }
}

impl OutputSymbolsBuilder {
    /// A table of which at most about `bytes_max` lie in memory.
    pub(crate) fn new(scratch: Scratch, bytes_max: usize) -> Self {
        OutputSymbolsBuilder { scratch, bytes_max, held: SymbolTable::default(), spilled: None }
    }

    pub(crate) fn len(&self) -> u32 {
        self.spilled.as_ref().map_or(self.held.len(), |spilled| spilled.count)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a text that stands behind all others.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), ScratchError> {
        if let Some(spilled) = &mut self.spilled {
            return spilled.push(text);
        }
        self.held.push(text);
        if self.held.held_bytes() <= self.bytes_max {
            return Ok(());
        }
        let mut spilled = Spilled { out: self.scratch.create()?, places: Vec::new(), count: 0 };
        std::mem::take(&mut self.held).iter().try_for_each(|text| spilled.push(text))?;
        self.spilled = Some(spilled);
        Ok(())
    }

    pub(crate) fn build(self) -> Result<OutputSymbols, ScratchError> {
        Ok(OutputSymbols(match self.spilled {
            None => Kind::Held(Arc::new(self.held)),
            Some(Spilled { out, places, count }) => {
                Kind::Stored(Arc::new(StoredTable { file: out.close()?, places, count }))
            }
        }))
    }
}
