//! One pass over a section of the form: length (4 bytes), content, CRC32C of the content (4 bytes).

use crc_fast::{CrcAlgorithm, Digest};

use super::StoredFile;
use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{At, Reader};

/// How many bytes are in memory at once, unless one value is larger.
const BUFFER_BYTES: usize = 256 << 10;

/// Walks over the content of a section. What it has given out is to be trusted only after [`SectionStream::finish`].
#[derive(Debug)]
pub(crate) struct SectionStream {
    file: StoredFile,
    section: Section,
    buffer: Vec<u8>,
    /// How much of `buffer` was loaded; what is behind is of no meaning.
    filled: usize,
    /// The next byte to be read, in `buffer`.
    at: usize,
    /// The offset in the file behind what was loaded.
    loaded: u64,
    /// The offset in the file of the checksum.
    end: u64,
    digest: Digest,
}

impl SectionStream {
    /// Opens the section whose length stands at `offset`; it has to end before `limit`.
    pub(crate) fn open(
        file: &StoredFile,
        section: Section,
        offset: u64,
        limit: u64,
    ) -> Result<Self, Corruption> {
        file.check_range(section, offset, 4, limit)?;
        let mut length = [0; 4];
        file.fill(section, offset, &mut length)?;
        let length = u64::from(u32::from_be_bytes(length));
        file.check_range(section, offset, length.saturating_add(8), limit)?;
        let start = offset.saturating_add(4);
        let digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        let (file, end) = (file.clone(), start.saturating_add(length));
        Ok(SectionStream { file, section, buffer: Vec::new(), filled: 0, at: 0, loaded: start, end, digest })
    }

    /// The offset in the file of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.loaded.saturating_sub(self.filled.saturating_sub(self.at) as u64)
    }

    /// The offset in the file of the checksum behind the content.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes of the content are left.
    pub(crate) fn left(&self) -> u64 {
        self.end.saturating_sub(self.offset())
    }

    /// Reads one value with `read`, which may be called again with more bytes where those at hand were too few.
    ///
    /// # Errors
    /// What `read` finds once all bytes of the section are at hand.
    pub(crate) fn read<T>(
        &mut self,
        mut read: impl FnMut(&mut Reader<'_>) -> Result<T, At>,
    ) -> Result<T, Corruption> {
        let mut wanted = BUFFER_BYTES;
        loop {
            let mut reader = Reader::new(self.buffer.get(self.at..self.filled).unwrap_or(&[]), self.offset());
            let before = reader.len();
            match read(&mut reader) {
                Ok(value) => {
                    let used = before.saturating_sub(reader.len());
                    self.at = self.at.saturating_add(used);
                    return Ok(value);
                }
                Err(At { fault: Fault::Short { missing }, .. }) if self.loaded < self.end => {
                    // No more than the section has; a length that lies is found out when all is loaded.
                    let hint = usize::try_from(missing).unwrap_or(usize::MAX).saturating_add(before);
                    wanted = wanted.max(hint.min(wanted.saturating_mul(2)));
                    self.load(wanted)?;
                    wanted = wanted.saturating_mul(2);
                }
                Err(at) => return Err(self.file.at(self.section, at)),
            }
        }
    }

    /// Reads `count` values with `each`, which may be called again for the same one with more bytes. It gets the number of the
    /// value, the bytes that it gave for the value before (none for the first) and the reader.
    ///
    /// # Errors
    /// As [`SectionStream::read`].
    pub(crate) fn read_each(
        &mut self,
        count: u32,
        mut each: impl for<'b> FnMut(u32, &'b [u8], &mut Reader<'b>) -> Result<&'b [u8], At>,
    ) -> Result<(), Corruption> {
        let mut done = 0u32;
        let mut wanted = BUFFER_BYTES;
        // What was given for the last value of the bytes before.
        let mut carried = Vec::new();
        while done < count {
            let bytes = self.buffer.get(self.at..self.filled).unwrap_or(&[]);
            let mut reader = Reader::new(bytes, self.offset());
            let (before, first) = (reader.len(), done);
            let mut failed = None;
            let mut previous = carried.as_slice();
            while done < count {
                let mark = reader.clone();
                match each(done, previous, &mut reader) {
                    Ok(given) => previous = given,
                    Err(at) => {
                        (reader, failed) = (mark, Some(at));
                        break;
                    }
                }
                done = done.saturating_add(1);
            }
            let used = before.saturating_sub(reader.len());
            if done > first {
                carried = previous.to_vec();
            }
            self.at = self.at.saturating_add(used);
            match failed {
                None => {}
                Some(At { fault: Fault::Short { .. }, .. }) if self.loaded < self.end => {
                    // One value that is larger than the buffer: as much as the section has, if need be.
                    wanted = if done == first { wanted.saturating_mul(2) } else { BUFFER_BYTES };
                    self.load(wanted)?;
                }
                Some(at) => return Err(self.file.at(self.section, at)),
            }
        }
        Ok(())
    }

    /// Reads four bytes, big-endian.
    pub(crate) fn u32(&mut self) -> Result<u32, Corruption> {
        self.read(|reader| reader.u32())
    }

    /// Loads until `wanted` unread bytes are in the buffer or the section ends.
    fn load(&mut self, wanted: usize) -> Result<(), Corruption> {
        let have = self.filled.saturating_sub(self.at);
        self.buffer.copy_within(self.at.min(self.filled)..self.filled, 0);
        (self.at, self.filled) = (0, have);
        let left = usize::try_from(self.end.saturating_sub(self.loaded)).unwrap_or(usize::MAX);
        let more = wanted.saturating_sub(have).max(1).min(left);
        let filled = have.saturating_add(more);
        if self.buffer.len() < filled {
            self.buffer.resize(filled, 0);
        }
        let fresh = self.buffer.get_mut(have..filled).unwrap_or_default();
        if let Err(error) = self.file.bytes().read_exact_at(fresh, self.loaded) {
            return Err(self.file.io(self.section, self.loaded, &error));
        }
        self.digest.update(fresh);
        self.filled = filled;
        self.loaded = self.loaded.saturating_add(more as u64);
        Ok(())
    }

    /// Reads the rest and compares the checksum.
    ///
    /// # Errors
    /// [`Fault::Checksum`].
    pub(crate) fn finish(mut self) -> Result<(), Corruption> {
        while self.loaded < self.end {
            self.at = self.filled;
            self.load(BUFFER_BYTES)?;
        }
        let mut stored = [0; 4];
        self.file.fill(self.section, self.end, &mut stored)?;
        let expected = u32::from_be_bytes(stored);
        let found = self.digest.finalize() as u32;
        if found == expected {
            return Ok(());
        }
        Err(self.file.corruption(self.section, self.end, Fault::Checksum { expected, found }))
    }

    /// Ends a walk: with `result` where the checksum is right, and with the wrong checksum where it is not, because that is
    /// then the cause of whatever was found in the bytes.
    pub(crate) fn conclude<T>(self, result: Result<T, Corruption>) -> Result<T, Corruption> {
        self.finish()?;
        result
    }
}
