//! A file on the local disk as the body of an object.
#![expect(clippy::disallowed_methods, reason = "the file that is to be uploaded is on the disk")]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::Body;

/// Bytes that are read at once.
pub(crate) const PIECE: u64 = 1 << 20;

/// A file that is to be uploaded. It must not change meanwhile: another size at reading is an error, not another object.
#[derive(Debug, Clone)]
pub struct FileBody {
    path: PathBuf,
    size: u64,
}

impl FileBody {
    /// Looks at the file; it is opened only when it is read.
    ///
    /// # Errors
    /// When there is no such file.
    pub async fn new(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let metadata = tokio::fs::metadata(&path).await?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is no file", path.display()),
            ));
        }
        Ok(Self { path, size: metadata.len() })
    }
}

impl Body for FileBody {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> BoxStream<'static, io::Result<Bytes>> {
        let (path, size) = (self.path.clone(), self.size);
        let opened = async move {
            let opened = off_the_reactor(move || open_unchanged(&path, size)).await;
            match opened {
                Ok(file) => pieces(Arc::new(file), 0, size),
                Err(error) => Box::pin(futures::stream::iter([Err(error)])),
            }
        };
        Box::pin(futures::FutureExt::flatten_stream(opened))
    }
}

fn open_unchanged(path: &Path, size: u64) -> io::Result<File> {
    let file = File::open(path)?;
    let found = file.metadata()?.len();
    if found != size {
        let text = format!("{} changed while it was uploaded: {size} bytes, now {found}", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(file)
}

/// The bytes of a file between two offsets; an end before `end` is an error.
pub(crate) fn pieces(file: Arc<File>, start: u64, end: u64) -> BoxStream<'static, io::Result<Bytes>> {
    Box::pin(futures::stream::try_unfold(start, move |at| {
        let file = Arc::clone(&file);
        async move {
            if at >= end {
                return Ok(None);
            }
            let length = (end - at).min(PIECE);
            let piece = off_the_reactor(move || read_at(&file, at, length)).await?;
            Ok(Some((piece, at + length)))
        }
    }))
}

/// Exactly `length` bytes from `offset` on.
pub(crate) fn read_at(file: &File, offset: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let mut buffer = vec![0; length];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(buffer.into())
}

/// Runs what blocks where blocking does no harm.
pub(crate) async fn off_the_reactor<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
}
