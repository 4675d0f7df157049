//! Follows a log that somebody else is writing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::corruption::{Corruption, Fault, Section};
use crate::fs::Fs;

use super::reader::{LogEnd, SegmentReader};
use super::segment::{SegmentFile, report_name, segment_name, segments};

/// Reads the records of a growing log. A record that is half there is waited for; one that is half there in a segment that has
/// a successor is damage.
#[derive(Debug)]
pub struct LiveReader {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    current: Option<(SegmentFile, SegmentReader)>,
}

impl LiveReader {
    /// Follows the log in a folder, from its first segment on.
    pub fn new(fs: Arc<dyn Fs>, folder: &Path) -> Self {
        LiveReader { fs, folder: folder.to_owned(), current: None }
    }

    /// The next record, or `None` where none is complete yet: ask again later.
    ///
    /// # Errors
    /// [`Corruption`].
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, Corruption> {
        loop {
            if self.current.is_none() && !self.begin()? {
                return Ok(None);
            }
            if self.step()? {
                break;
            }
            if self.current.is_some() {
                return Ok(None);
            }
        }
        Ok(self.current.as_ref().map(|(_, reader)| reader.record()))
    }

    fn begin(&mut self) -> Result<bool, Corruption> {
        let all = segments(&*self.fs, &self.folder).map_err(|error| self.unreadable("", &error))?;
        match all.into_iter().next() {
            Some(first) => self.open(first.index).map(|()| true),
            None => Ok(false),
        }
    }

    fn open(&mut self, index: u64) -> Result<(), Corruption> {
        let file = segment_name(index);
        let (path, name) = (self.folder.join(&file), report_name(&self.folder, &file));
        let source = self.fs.open(&path).map_err(|error| self.unreadable(&file, &error))?;
        let size = source.len();
        let reader = SegmentReader::new(source, name.clone());
        self.current = Some((SegmentFile { index, path, name, size }, reader));
        Ok(())
    }

    /// Whether there is a record in the current segment. Leaves a segment that is at its end and has a successor: `current` is
    /// then the next one.
    fn step(&mut self) -> Result<bool, Corruption> {
        let Some((segment, reader)) = &mut self.current else {
            return Ok(false);
        };
        if reader.next_record()?.is_some() {
            return Ok(true);
        }
        // First whether there is a successor, then what this one has: no record written in between is missed.
        let index = segment.index;
        let next = self.folder.join(segment_name(index + 1));
        let succeeded = match self.fs.stat(&next) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(self.unreadable(&segment_name(index + 1), &error)),
        };
        let source = match self.fs.open(&segment.path) {
            Ok(source) => source,
            Err(error) => return Err(self.unreadable(&segment_name(index), &error)),
        };
        reader.resume(source);
        if reader.next_record()?.is_some() {
            return Ok(true);
        }
        if !succeeded {
            return Ok(false);
        }
        if let Some(LogEnd::Torn { offset }) = reader.end() {
            let fault = Fault::Short { missing: 1 };
            return Err(Corruption { file: segment.name.clone(), section: Section::Record, offset, fault });
        }
        self.open(index + 1)?;
        self.step()
    }

    fn unreadable(&self, file: &str, error: &io::Error) -> Corruption {
        let fault = match error.kind() {
            io::ErrorKind::NotFound => Fault::Missing,
            _ => Fault::Io(error.to_string().into()),
        };
        Corruption { file: report_name(&self.folder, file), section: Section::Record, offset: 0, fault }
    }
}
