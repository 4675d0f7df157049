//! A file that is being written, through a buffer that knows its position.

use std::io::{self, Write};

use crate::fs::FileWrite;

const BUFFER_BYTES: usize = 1 << 20;

/// Appends to a file.
#[derive(Debug)]
pub(crate) struct Output {
    file: Box<dyn FileWrite>,
    buffer: Vec<u8>,
    /// Bytes handed to `file`.
    written: u64,
}

impl Output {
    /// Appends to an empty file.
    pub(crate) fn new(file: Box<dyn FileWrite>) -> Self {
        Output { file, buffer: Vec::new(), written: 0 }
    }

    /// The offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.written.saturating_add(self.buffer.len() as u64)
    }

    /// The buffer, to append to. [`Output::drain`] writes it when there is enough in it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() >= BUFFER_BYTES {
            self.flush()?;
            self.file.write_all(bytes)?;
            self.written = self.written.saturating_add(bytes.len() as u64);
            return Ok(());
        }
        self.buffer.extend_from_slice(bytes);
        self.drain()
    }

    /// Appends zeros up to the next multiple.
    pub(crate) fn pad(&mut self, multiple: u64) {
        let position = self.position();
        let missing = position.next_multiple_of(multiple).saturating_sub(position) as usize;
        self.buffer.resize(self.buffer.len().saturating_add(missing), 0);
    }

    /// Whether [`Output::drain`] would write the buffer.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= BUFFER_BYTES
    }

    /// Writes the buffer when it is full.
    #[inline]
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        if self.is_full() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.written = self.written.saturating_add(self.buffer.len() as u64);
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left, which a loss of power may take.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.flush()?;
        self.file.flush()
    }

    /// Writes what is left and waits until it would survive a loss of power. Gives the file's length.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        self.file.flush()?;
        self.file.sync()?;
        Ok(self.written)
    }
}
