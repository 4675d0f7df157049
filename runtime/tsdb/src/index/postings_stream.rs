//! A list of postings that is not taken into memory: checked in one pass, given in another.

use crate::corruption::{Corruption, Fault, Section};
use crate::stored::{SectionStream, StoredFile};

use super::series::SeriesRef;
use super::toc::Toc;

/// How many numbers are decoded at once.
const BATCH: usize = 1 << 10;

/// Gives the series of a stored list in order.
#[derive(Debug)]
pub struct PostingsStream {
    file: StoredFile,
    stream: Option<SectionStream>,
    /// How many numbers were not yet decoded.
    left: u32,
    last: Option<u32>,
    batch: Vec<u32>,
    at: usize,
}

impl PostingsStream {
    /// Checks the list that begins at `offset`: checksum, count, order.
    pub(crate) fn open(file: &StoredFile, toc: &Toc, offset: u64) -> Result<Self, Corruption> {
        let mut first = Self::begin(file, toc, offset)?;
        let walked = first.walk();
        // What is wrong in bytes with a wrong checksum is the fault of whoever changed them.
        match first.stream.take() {
            Some(stream) => stream.conclude(walked)?,
            None => walked?,
        }
        Self::begin(file, toc, offset)
    }

    fn begin(file: &StoredFile, toc: &Toc, offset: u64) -> Result<Self, Corruption> {
        let mut stream = SectionStream::open(file, Section::Postings, offset, toc.postings_end())?;
        let counted_at = stream.offset();
        let left = stream.u32()?;
        let bytes = stream.left();
        // As with a list that is read whole: more than there are, or bytes left over.
        let fault = match u64::from(left).saturating_mul(4).cmp(&bytes) {
            std::cmp::Ordering::Less => {
                Some(Fault::Trailing(bytes.saturating_sub(u64::from(left).saturating_mul(4))))
            }
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => {
                Some(Fault::OutOfRange { what: "number of postings", value: left.into(), max: bytes / 4 })
            }
        };
        match fault {
            Some(fault) => {
                let fault = file.corruption(Section::Postings, counted_at, fault);
                stream.conclude(Err(fault))
            }
            None => {
                let (batch, file) = (Vec::new(), file.clone());
                Ok(PostingsStream { file, stream: Some(stream), left, last: None, batch, at: 0 })
            }
        }
    }

    fn walk(&mut self) -> Result<(), Corruption> {
        while self.left > 0 {
            self.decode()?;
        }
        Ok(())
    }

    /// The next series.
    ///
    /// # Errors
    /// Whatever the disk says; [`Fault::Checksum`] at the end of a list that is not any more what it was when it was checked.
    pub fn next_series(&mut self) -> Result<Option<SeriesRef>, Corruption> {
        if self.at >= self.batch.len() {
            if self.left == 0 {
                return self.stream.take().map_or(Ok(()), SectionStream::finish).map(|()| None);
            }
            self.decode()?;
        }
        let series = self.batch.get(self.at).copied();
        self.at = self.at.saturating_add(1);
        Ok(series.map(SeriesRef))
    }

    /// Decodes the next numbers.
    fn decode(&mut self) -> Result<(), Corruption> {
        let (batch, left) = (&mut self.batch, self.left as usize);
        batch.clear();
        self.at = 0;
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        let offset = stream.offset();
        stream.read(|reader| {
            // Called again where not even one is at hand.
            batch.push(reader.u32()?);
            let (numbers, _) = reader.rest().as_chunks::<4>();
            let more = numbers.len().min(BATCH).min(left.saturating_sub(1));
            batch.extend(numbers.iter().take(more).map(|number| u32::from_be_bytes(*number)));
            reader.take(more.saturating_mul(4)).map(|_| ())
        })?;
        self.left = self.left.saturating_sub(self.batch.len() as u32);
        let first = self.batch.first().copied();
        let follows = self.last.is_none() || first > self.last;
        if !follows || !self.batch.is_sorted_by(|one, next| one < next) {
            self.batch.clear();
            return Err(self.file.corruption(Section::Postings, offset, Fault::Order("postings")));
        }
        self.last = self.batch.last().copied();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::{crc32c, put_u32};

    /// A list with its length and its checksum.
    fn stored(numbers: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_u32(&mut bytes, 4 * numbers.len() as u32 + 4);
        put_u32(&mut bytes, numbers.len() as u32);
        numbers.iter().for_each(|number| put_u32(&mut bytes, *number));
        let sum = crc32c(&bytes[4..]);
        put_u32(&mut bytes, sum);
        bytes
    }

    fn read(bytes: Vec<u8>) -> Result<Vec<u32>, Corruption> {
        let end = bytes.len() as u64;
        let toc = Toc {
            symbols: 5,
            series: 6,
            label_indices: 0,
            label_indices_table: 0,
            postings: 0,
            postings_table: end,
        };
        let mut stream =
            PostingsStream::open(&StoredFile::new("index", Arc::new(Bytes::from(bytes))), &toc, 0)?;
        let mut numbers = Vec::new();
        while let Some(series) = stream.next_series()? {
            numbers.push(series.0);
        }
        Ok(numbers)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_list_comes_back_or_is_refused(
            steps in proptest::collection::vec(1u32..9000, 0..5000),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let mut last = 0;
            let numbers: Vec<u32> = steps.iter().map(|step| { last += step; last }).collect();
            let mut bytes = stored(&numbers);
            prop_assert_eq!(read(bytes.clone()).unwrap(), numbers);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(read(bytes).is_err());
        }
    }

    #[test]
    fn faults_are_told_apart() {
        let fault = |numbers: &[u32]| read(stored(numbers)).unwrap_err().fault;
        assert_eq!(fault(&[2, 1]), Fault::Order("postings"));
        assert_eq!(fault(&[2, 2]), Fault::Order("postings"));
        let mut bytes = stored(&[1, 2]);
        bytes[7] = 1;
        let sum = crc32c(&bytes[4..16]);
        bytes[16..].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(read(bytes).unwrap_err().fault, Fault::Trailing(4));
    }
}
