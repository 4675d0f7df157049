//! Label indices and their offset table: written up to Prometheus 2.x, read by nobody; `docs/index.md`, "Label index".
//!
//! They are here so that a block can be verified to its last byte.

use crate::corruption::{Corruption, Fault, Section};
use crate::stored::{SectionStream, StoredFile};

use super::toc::Toc;

/// The values of a label as an index of values lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelIndex {
    /// The label's name.
    pub name: Vec<u8>,
    /// Its values as symbols, in the order of the file.
    pub values: Vec<u32>,
}

impl LabelIndex {
    /// Reads the label index offset table and hands over each label index or what is wrong with it. Nothing where the index has
    /// no such table.
    ///
    /// # Errors
    /// What is wrong with the table.
    pub fn read_all(
        file: &StoredFile,
        toc: &Toc,
        mut take: impl FnMut(Result<LabelIndex, Corruption>),
    ) -> Result<(), Corruption> {
        if toc.label_indices_table == 0 || toc.label_indices_table == toc.postings_table {
            return Ok(());
        }
        let section = Section::LabelIndexTable;
        let mut stream = SectionStream::open(file, section, toc.label_indices_table, file.len())?;
        let mut entries = Vec::new();
        let walked = walk(file, &mut stream, &mut entries);
        stream.conclude(walked)?;
        for (name, offset) in entries {
            take(read_one(file, name, offset, toc.label_indices_table));
        }
        Ok(())
    }
}

fn walk(
    file: &StoredFile,
    stream: &mut SectionStream,
    entries: &mut Vec<(Vec<u8>, u64)>,
) -> Result<(), Corruption> {
    let counted_at = stream.offset();
    let count = stream.u32()?;
    let max = stream.left() / 3;
    if u64::from(count) > max {
        let fault = Fault::OutOfRange { what: "number of entries", value: count.into(), max };
        return Err(file.corruption(Section::LabelIndexTable, counted_at, fault));
    }
    for _ in 0..count {
        let entry = stream.read(|reader| {
            let here = reader.fault(Fault::Rule("an entry that has not exactly one name"));
            if reader.uvarint()? != 1 {
                return Err(here);
            }
            Ok((reader.uvarint_bytes()?.to_vec(), reader.uvarint()?))
        })?;
        entries.push(entry);
    }
    match stream.left() {
        0 => Ok(()),
        left => Err(file.corruption(Section::LabelIndexTable, stream.offset(), Fault::Trailing(left))),
    }
}

fn read_one(file: &StoredFile, name: Vec<u8>, offset: u64, limit: u64) -> Result<LabelIndex, Corruption> {
    let mut stream = SectionStream::open(file, Section::LabelIndex, offset, limit)?;
    let read = (|| {
        let names = stream.u32()?;
        let count = stream.u32()?;
        if names != 1 || u64::from(count).saturating_mul(4) != stream.left() {
            let fault = Fault::Rule("a label index whose counts do not fit its length");
            return Err(file.corruption(Section::LabelIndex, offset, fault));
        }
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(stream.u32()?);
        }
        Ok(LabelIndex { name, values })
    })();
    stream.conclude(read)
}
