//! The operating system's disk.
#![expect(clippy::disallowed_methods, reason = "this is the door to the disk that everybody else is given")]

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::{Entry, FileSync, FileWrite, Fs, RangeRead};

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFs;

#[derive(Debug)]
struct Readable {
    file: File,
    length: u64,
}

impl RangeRead for Readable {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(into, offset)
    }
}

#[derive(Debug)]
struct Writable(File);

impl Write for Writable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl FileWrite for Writable {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn syncer(&self) -> io::Result<Arc<dyn FileSync>> {
        // The copy shares the open file, and with it the report of a failed write-back.
        Ok(Arc::new(Syncer(self.0.try_clone()?)))
    }

    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
}

#[derive(Debug)]
struct Syncer(File);

impl FileSync for Syncer {
    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Fs for RealFs {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn RangeRead>> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Arc::new(Readable { file, length: metadata.len() }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWrite>> {
        Ok(Box::new(Writable(OpenOptions::new().write(true).create(true).truncate(true).open(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FileWrite>> {
        // Not O_APPEND: with it Linux ignores the offset of a positioned write.
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        Ok(Box::new(Writable(file)))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                // Somebody else may have removed it meanwhile.
                match fs::metadata(entry.path()) {
                    Ok(metadata) => {
                        entries.push(Entry { name, is_dir: metadata.is_dir(), size: metadata.len() })
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> io::Result<Entry> {
        let metadata = fs::metadata(path)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Entry { name, is_dir: metadata.is_dir(), size: metadata.len() })
    }

    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(length)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, folder: &Path) -> io::Result<()> {
        fs::remove_dir_all(folder)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(Box::new(file))
    }
}
