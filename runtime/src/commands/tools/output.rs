//! Standard output that may be closed by its reader, as in `… | head`.

use std::io::{self, BufWriter, Stdout, Write};

/// The reader of standard output is gone; there is nothing left to do and nothing is wrong.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(crate) struct Closed;

/// Buffered standard output.
#[derive(Debug)]
pub(crate) struct Output(BufWriter<Stdout>);

impl Output {
    /// Standard output of this process.
    pub(crate) fn standard() -> Self {
        Output(BufWriter::new(io::stdout()))
    }

    /// Writes a text.
    ///
    /// # Errors
    /// [`Closed`] when nobody reads any more, or what the system says.
    pub(crate) fn write(&mut self, text: &str) -> anyhow::Result<()> {
        outcome(self.0.write_all(text.as_bytes()))
    }

    /// Writes a text and a line end.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(crate) fn line(&mut self, text: &str) -> anyhow::Result<()> {
        self.write(text)?;
        self.write("\n")
    }

    /// Sends what is buffered on its way.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        outcome(self.0.flush())
    }
}

fn outcome(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        other => Ok(other?),
    }
}
