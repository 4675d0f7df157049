//! Random and sequential reads of one file through one buffer.

use super::StoredFile;
use crate::corruption::{Corruption, Section};

/// How much is read at a place that does not follow the last one.
const JUMP_BYTES: usize = 4 << 10;
/// How far ahead is read at most where one read follows another.
const AHEAD_BYTES_MAX: usize = 256 << 10;

/// A reader's own view of a file: no locks, one buffer, which grows while the reads follow each other.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    file: StoredFile,
    start: u64,
    buffer: Vec<u8>,
    ahead: usize,
}

impl Window {
    pub(crate) fn new(file: StoredFile) -> Self {
        Window { file, start: 0, buffer: Vec::new(), ahead: JUMP_BYTES }
    }

    pub(crate) fn file(&self) -> &StoredFile {
        &self.file
    }

    /// Exactly `length` bytes from `offset` on.
    ///
    /// # Errors
    /// [`crate::Fault::Short`] where the file ends before; nothing is allocated then.
    pub(crate) fn get(&mut self, section: Section, offset: u64, length: u64) -> Result<&[u8], Corruption> {
        self.file.check_range(section, offset, length, self.file.len())?;
        // The range lies in the file, and this is a 64-bit program.
        self.span(section, offset, length as usize).map(|bytes| bytes.get(..length as usize).unwrap_or(bytes))
    }

    /// Up to `length` bytes from `offset` on: fewer where `end` or the file's end comes before.
    pub(crate) fn peek(
        &mut self,
        section: Section,
        offset: u64,
        length: usize,
        end: u64,
    ) -> Result<&[u8], Corruption> {
        let left = end.min(self.file.len()).saturating_sub(offset);
        let length = left.min(length as u64);
        self.get(section, offset, length)
    }

    /// At least `length` bytes from `offset` on, which are known to exist.
    fn span(&mut self, section: Section, offset: u64, length: usize) -> Result<&[u8], Corruption> {
        if let Some(all) = self.file.bytes().in_memory() {
            return Ok(all.get(offset as usize..).unwrap_or(&[]));
        }
        let end = self.start.saturating_add(self.buffer.len() as u64);
        let inside = offset >= self.start && offset.saturating_add(length as u64) <= end;
        if !inside {
            let follows = offset >= self.start && offset <= end.saturating_add(JUMP_BYTES as u64);
            self.ahead = if follows { self.ahead.saturating_mul(2).min(AHEAD_BYTES_MAX) } else { JUMP_BYTES };
            let left = self.file.len().saturating_sub(offset);
            let wanted = length.max(self.ahead).min(usize::try_from(left).unwrap_or(usize::MAX));
            let kept = usize::try_from(offset.wrapping_sub(self.start))
                .ok()
                .filter(|skip| offset >= self.start && *skip < self.buffer.len());
            match kept {
                Some(skip) => {
                    self.buffer.drain(..skip);
                }
                None => self.buffer.clear(),
            }
            self.start = offset;
            let have = self.buffer.len().min(wanted);
            self.buffer.resize(wanted, 0);
            let rest = self.buffer.get_mut(have..).unwrap_or_default();
            if let Err(error) = self.file.bytes().read_exact_at(rest, offset.saturating_add(have as u64)) {
                self.buffer.clear();
                return Err(self.file.io(section, offset, &error));
            }
        }
        let skip = (offset.saturating_sub(self.start)) as usize;
        Ok(self.buffer.get(skip..).unwrap_or(&[]))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::fs::RangeRead;

    /// Bytes that are not in memory as far as a reader can tell.
    #[derive(Debug)]
    struct OnDisk(Vec<u8>);

    impl RangeRead for OnDisk {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
            let from = self.0.get(offset as usize..offset as usize + into.len());
            into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn reads_what_is_there(reads in proptest::collection::vec((0u64..70_000, 0u64..9000), 1..40)) {
            let all: Vec<u8> = (0..60_000u32).map(|at| (at % 251) as u8).collect();
            let mut window = Window::new(StoredFile::new("index", Arc::new(OnDisk(all.clone()))));
            for (offset, length) in reads {
                let expected = all.get(offset as usize..(offset + length) as usize);
                prop_assert_eq!(window.get(Section::Series, offset, length).ok(), expected);
            }
        }
    }
}
