//! Series out of bytes that were fetched from elsewhere.

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::Reader;

use super::plan::split_checksum;
use super::reader::{IndexReader, SERIES_BYTES_MAX};
use super::series::{Series, SeriesRef};

impl IndexReader {
    /// Where the entry of a series begins in the index.
    ///
    /// # Errors
    /// [`Fault::OutOfRange`] where that is not among the series.
    pub fn series_offset(&self, reference: SeriesRef) -> Result<u64, Corruption> {
        let offset = u64::from(reference.0).saturating_mul(self.version().series_unit());
        let (first, end) = (self.toc().series, self.toc().series_end());
        if (first..end).contains(&offset) {
            return Ok(offset);
        }
        let fault = Fault::OutOfRange { what: "offset of a series", value: offset, max: end };
        Err(self.file().corruption(Section::Series, offset, fault))
    }

    /// Where the series end.
    pub fn series_end(&self) -> u64 {
        self.toc().series_end()
    }

    /// Reads a series out of bytes that begin with its entry, in place of what was in `series`; gives the length of the entry.
    ///
    /// # Errors
    /// What is wrong with it: its place, its checksum, its counts, its symbols. [`Fault::Short`] where the bytes end too
    /// early: with as many more as it says they suffice, or tell how many they must be.
    pub fn decode_series(
        &self,
        reference: SeriesRef,
        bytes: &[u8],
        series: &mut Series,
    ) -> Result<usize, Corruption> {
        let offset = self.series_offset(reference)?;
        let at = |at| self.file().at(Section::Series, at);
        let fail = |fault| self.file().corruption(Section::Series, offset, fault);
        let mut reader = Reader::new(bytes, offset);
        let length = reader.uvarint().map_err(at)?;
        if length > SERIES_BYTES_MAX {
            return Err(fail(Fault::OutOfRange {
                what: "length of a series",
                value: length,
                max: SERIES_BYTES_MAX,
            }));
        }
        let start = reader.offset();
        let entry = reader.take(length.saturating_add(4) as usize).map_err(at)?;
        let content = split_checksum(entry).map_err(fail)?;
        series.decode(&mut Reader::new(content, start)).map_err(at)?;
        series.reference = reference;
        let mut all = series.labels.iter().flat_map(|(name, value)| [*name, *value]);
        if let Some(symbol) = all.find(|symbol| !self.symbols().may_be_symbol(*symbol)) {
            let max = u64::from(self.symbols().len()).saturating_sub(1);
            return Err(fail(Fault::OutOfRange { what: "symbol", value: symbol.into(), max }));
        }
        Ok(reader.offset().saturating_sub(offset) as usize)
    }
}
