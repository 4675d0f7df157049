//! An index of which only some parts are at hand.

use std::io;
use std::sync::Arc;

use tsdb::encoding::put_u32;
use tsdb::fs::RangeRead;

const INDEX_MAGIC: u32 = 0xBAAA_D700;

/// A part of an index, and where it lies in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) index_at: u64,
    pub(super) file_at: u64,
    pub(super) length: u64,
}

/// Where the two parts are said to begin in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexLayout {
    pub(super) symbols: u64,
    pub(super) postings_table: u64,
}

/// Answers reads of the header, of the symbols, and of everything from the postings offset table on.
#[derive(Debug)]
pub(super) struct SparseIndex {
    file: Arc<dyn RangeRead>,
    /// Magic number and version, as the index begins.
    header: Vec<u8>,
    length: u64,
    symbols: Part,
    table: Part,
}

impl SparseIndex {
    pub(super) fn new(
        file: Arc<dyn RangeRead>,
        version: u8,
        length: u64,
        symbols: Part,
        table: Part,
    ) -> Self {
        let mut header = Vec::new();
        put_u32(&mut header, INDEX_MAGIC);
        header.push(version);
        SparseIndex { file, header, length, symbols, table }
    }

    pub(super) const fn layout(&self) -> IndexLayout {
        IndexLayout { symbols: self.symbols.index_at, postings_table: self.table.index_at }
    }

    /// The offset in the file of an offset in the index.
    pub(super) const fn in_file(&self, offset: u64) -> u64 {
        if offset >= self.table.index_at {
            return self.table.file_at.saturating_add(offset.saturating_sub(self.table.index_at));
        }
        if offset >= self.symbols.index_at {
            let inside = offset.saturating_sub(self.symbols.index_at);
            let most = if inside < self.symbols.length { inside } else { self.symbols.length };
            return self.symbols.file_at.saturating_add(most);
        }
        offset
    }
}

impl RangeRead for SparseIndex {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let length = into.len() as u64;
        let hole =
            || io::Error::new(io::ErrorKind::Unsupported, "this part of the index is in the bucket only");
        let end = offset.checked_add(length).filter(|end| *end <= self.length);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        if end <= self.header.len() as u64 {
            let from = self.header.get(offset as usize..end as usize).ok_or_else(hole)?;
            into.copy_from_slice(from);
            return Ok(());
        }
        for part in [self.symbols, self.table] {
            let part_end = part.index_at.saturating_add(part.length);
            if (part.index_at..part_end).contains(&offset) {
                // Readers read ahead, over the end of a part; what they find there are zeros, which no section is.
                let inside = part_end.saturating_sub(offset).min(length) as usize;
                let (from_file, ahead) = into.split_at_mut_checked(inside).ok_or_else(hole)?;
                ahead.fill(0);
                return self.file.read_exact_at(from_file, part.file_at + (offset - part.index_at));
            }
        }
        Err(hole())
    }
}
