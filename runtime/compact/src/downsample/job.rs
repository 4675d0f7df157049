//! Downsamples one block of a bucket, from its download to the upload of what was made of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::{
    BlockId, Download, DownloadError, HashFunc, IndexStats, Meta, Resolution, Source, Upload, UploadError,
};
use error_kind::{ErrorKind, Kind, kind_of_io};
use objstore::{Bucket, BucketError};
use prom_model::Clock;
use serde_json::Value;
use tsdb::Corruption;
use tsdb::block::{BlockReader, Counts, Examination, examine};
use tsdb::fs::Fs;

use super::files::files_of;
use super::select::sources;
use super::{Downsampled, downsample};
use crate::verify::{compare_downsampled, read_again};
use crate::{SourceError, SourceFault, Target, WriteError};

/// The extension that hides a block whose samples are in another format too; what is made here is not.
const PARQUET_MIGRATED: &str = "parquet_migrated";

/// One block that is to be downsampled.
#[derive(Debug)]
pub struct Job<'a> {
    /// Where the block is, and where the new one goes.
    pub bucket: &'a dyn Bucket,
    /// The disk.
    pub fs: &'a Arc<dyn Fs>,
    /// A folder that is there, in which both blocks get a folder of their name while the job runs; neither is left behind.
    pub folder: &'a Path,
    /// Says how long the work takes, and when the upload was.
    pub clock: &'a dyn Clock,
    /// The block, as its meta.json in the bucket says it.
    pub source: &'a Meta,
    /// The resolution of the new block.
    pub to: Resolution,
    /// The name of the new block.
    pub id: BlockId,
    /// What is computed over the files of the new block; `--hash-func`.
    pub hash_func: HashFunc,
    /// How many files are read or sent at once; `--block-files-concurrency`.
    pub file_concurrency: usize,
    /// See [`Target::memory_bytes`].
    pub memory_bytes: u64,
    /// Whether to go on where rules of the index are broken, as far as the samples can be read; `--debug.accept-malformed-index`.
    pub accept_malformed_index: bool,
}

/// What became of a block.
#[derive(Debug, Clone, PartialEq)]
pub enum JobDone {
    /// A block was made of it, and is in the bucket.
    Uploaded {
        /// The meta.json of the new block.
        meta: Box<Meta>,
        /// How long the downsampling took, without the ways from and to the bucket.
        seconds: f64,
    },
    /// There is no sample in it, so there is no block.
    Empty,
}

/// Why a block was not downsampled. The source is as it was, and nothing is left on the disk.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It could not be brought here.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// It is damaged; [`block::findings::of_content`] says how.
    #[error("block {block} is damaged: {}", names(examination))]
    Unsound {
        /// The block.
        block: BlockId,
        /// What was found in it.
        examination: Box<Examination>,
    },
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The new block cannot be written.
    #[error("block {block} is not downsampled")]
    Write {
        /// The block.
        block: BlockId,
        /// Why.
        #[source]
        source: WriteError,
    },
    /// The new block does not hold what was put into it; it is not uploaded.
    #[error("what was made of block {block} is not sound: {difference}")]
    Output {
        /// The block.
        block: BlockId,
        /// What is wrong.
        difference: String,
    },
    /// The new block could not be put into the bucket.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The disk refused, or the work was stopped.
    #[error("block {block}: the work on the disk failed")]
    Disk {
        /// The block.
        block: BlockId,
        /// What was said.
        #[source]
        source: io::Error,
    },
}

impl JobError {
    /// Whether it is the source that is bad, so that trying again changes nothing.
    pub const fn is_about_source(&self) -> bool {
        match self {
            JobError::Unsound { .. } | JobError::Source(_) => true,
            JobError::Download(error) => matches!(
                error,
                DownloadError::Meta(_)
                    | DownloadError::Path { .. }
                    | DownloadError::NotAsDescribed { .. }
                    | DownloadError::Bucket { source: BucketError::NotFound { .. }, .. }
            ),
            _ => false,
        }
    }
}

impl Kind for JobError {
    fn kind(&self) -> ErrorKind {
        match self {
            JobError::Download(error) => error.kind(),
            JobError::Unsound { .. } | JobError::Source(_) | JobError::Output { .. } => ErrorKind::Corrupt,
            JobError::Write { .. } => ErrorKind::Unavailable,
            JobError::Upload(error) => error.kind(),
            JobError::Disk { source, .. } => kind_of_io(source),
        }
    }
}

/// The codes of all problems that are damage.
fn names(examination: &Examination) -> String {
    let damage = examination.problems.iter().filter(|problem| problem.kind.is_damage());
    let codes: Vec<&str> = damage.map(|problem| problem.kind.code()).collect();
    codes.join(", ")
}

impl Job<'_> {
    /// Downloads the block, examines it, downsamples it, reads the new block again and compares it with what was read, uploads it.
    ///
    /// # Errors
    /// See [`JobError`]; [`JobError::is_about_source`] tells those that no second attempt mends.
    pub async fn run(&self) -> Result<JobDone, JobError> {
        let source = self.folder.join(self.source.id().to_string());
        let done = self.run_in(source.clone()).await;
        let (fs, made) = (Arc::clone(self.fs), self.folder.join(self.id.to_string()));
        let unfinished = source.with_extension("tmp-for-download");
        // What cannot be removed here is removed with the folder by whoever begins anew.
        drop(
            tokio::task::spawn_blocking(move || {
                for folder in [source, unfinished, made] {
                    drop(fs.remove_dir_all(&folder));
                }
            })
            .await,
        );
        done
    }

    async fn run_in(&self, folder: PathBuf) -> Result<JobDone, JobError> {
        let (bucket, block, fs) = (self.bucket, self.source.id(), self.fs);
        let concurrency = self.file_concurrency;
        Download { bucket, block, fs, folder: folder.clone(), concurrency }.run().await?;
        let start = self.clock.now();
        let work = Work {
            fs: Arc::clone(fs),
            parent: self.folder.to_owned(),
            folder,
            source: self.source.clone(),
            to: self.to,
            id: self.id,
            memory_bytes: self.memory_bytes,
            accept_malformed_index: self.accept_malformed_index,
        };
        let made = tokio::task::spawn_blocking(move || work.run()).await;
        let made = made.map_err(|stopped| JobError::Disk { block, source: io::Error::other(stopped) })??;
        let seconds = self.clock.now().since(start).as_secs_f64();
        let Some(made) = made else { return Ok(JobDone::Empty) };
        let meta = self.describe(made);
        let upload = Upload {
            bucket,
            fs,
            folder: self.folder.join(self.id.to_string()),
            meta: meta.clone(),
            clock: self.clock,
            hash_func: self.hash_func,
            concurrency,
        };
        let meta = match upload.run().await? {
            block::Uploaded::Done(meta) => meta,
            block::Uploaded::AlreadyThere => Box::new(meta),
        };
        Ok(JobDone::Uploaded { meta, seconds })
    }

    /// What the meta.json of the new block says: what the source says, but for what is new.
    fn describe(&self, made: Downsampled) -> Meta {
        let mut thanos = self.source.thanos.clone();
        thanos.downsample.resolution = self.to;
        thanos.source = Source::Compactor;
        thanos.index_stats = IndexStats {
            series_max_size: i64::try_from(made.written.series_max_bytes).unwrap_or(i64::MAX),
            chunk_max_size: i64::try_from(made.written.chunk_max_bytes).unwrap_or(i64::MAX),
            ..IndexStats::default()
        };
        if let Value::Object(extensions) = &mut thanos.extensions {
            extensions.shift_remove(PARQUET_MIGRATED);
        }
        Meta { block: made.written.meta, thanos }
    }
}

/// The part of a job that reads and writes the disk.
struct Work {
    fs: Arc<dyn Fs>,
    parent: PathBuf,
    folder: PathBuf,
    source: Meta,
    to: Resolution,
    id: BlockId,
    memory_bytes: u64,
    accept_malformed_index: bool,
}

impl Work {
    fn run(self) -> Result<Option<Downsampled>, JobError> {
        let block = self.source.id();
        let (from, to) = (self.source.thanos.downsample.resolution.0, self.to.0);
        let meta = &self.source.block;
        let damaged = |corruption: Corruption| {
            JobError::Source(SourceError { block, reason: SourceFault::Damaged(corruption) })
        };
        if !self.accept_malformed_index {
            let files = files_of(self.fs.as_ref(), &self.folder);
            let files = files.map_err(|source| JobError::Disk { block, source })?;
            let examination = examine(&files, meta.min_time, meta.max_time);
            if examination.problems.iter().any(|problem| problem.kind.is_damage()) {
                return Err(JobError::Unsound { block, examination: Box::new(examination) });
            }
        }
        let reader = BlockReader::open_to_scan(self.fs.as_ref(), &self.folder).map_err(damaged)?;
        let target = Target {
            fs: Arc::clone(&self.fs),
            parent: &self.parent,
            id: self.id,
            memory_bytes: self.memory_bytes,
        };
        let mut described = meta.clone();
        described.compaction.sources = sources(&self.source);
        let made = downsample(&reader, from, to, &target, described).map_err(|source| match source {
            WriteError::Source(source) => JobError::Source(source),
            source => JobError::Write { block, source },
        })?;
        let Some(made) = made else { return Ok(None) };
        self.look_again(&reader, &made)?;
        Ok(Some(made))
    }

    /// Reads the new block again, and compares it window by window with the source.
    fn look_again(&self, source: &BlockReader, made: &Downsampled) -> Result<(), JobError> {
        let block = self.source.id();
        let folder = self.parent.join(self.id.to_string());
        let differs = |difference: String| JobError::Output { block, difference };
        let told = |error: &dyn std::error::Error| differs(report(error));
        let found = read_again(self.fs.as_ref(), &folder).map_err(|error| told(&error))?;
        // What is broken in the source and was accepted, may be broken in the new block.
        if found.damages > 0 && !self.accept_malformed_index {
            return Err(differs(found.words.join("; ")));
        }
        let Counts { series, chunks, samples, .. } = found.counts;
        let stats = &made.written.meta.stats;
        if (series, chunks, samples) != (stats.num_series, stats.num_chunks, stats.num_samples) {
            let found = format!("{series} series, {chunks} chunks, {samples} samples instead of {stats:?}");
            return Err(differs(found));
        }
        let output = BlockReader::open_to_scan(self.fs.as_ref(), &folder).map_err(|error| told(&error))?;
        match compare_downsampled(source, self.to.0, &output).map_err(|error| told(&error))? {
            counted if counted == made.samples => Ok(()),
            counted => Err(differs(format!("it counts {counted} samples, and was made of {}", made.samples))),
        }
    }
}

/// An error with its causes.
fn report(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
