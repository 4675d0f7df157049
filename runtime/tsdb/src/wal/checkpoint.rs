//! Replaces the older segments of a log by what is still needed of them: `checkpoint.00000012` holds, as a log of its own, the
//! series that are alive and the samples that are not in a block yet of all segments up to 12.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::corruption::Corruption;
use crate::fs::Fs;

use super::reader::RecordReader;
use super::record::{
    self, MetricType, RecordType, RefFloatHistogram, RefHistogram, RefMetadata, SeriesRef, encode_exemplars,
    encode_float_histograms, encode_histograms, encode_metadata, encode_samples, encode_series,
    encode_tombstones,
};
use super::segment::{SegmentFile, numbered, segments};
use super::writer::{LogError, Wal, WalOptions};

const PREFIX: &str = "checkpoint.";
const UNFINISHED: &str = ".tmp";
/// Bytes of records that are collected before they are written.
const BATCH: usize = 1 << 20;

/// The checkpoint of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last segment that it replaces.
    pub index: u64,
    /// Its folder.
    pub path: PathBuf,
}

/// What a checkpoint kept and left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckpointStats {
    /// Series that it holds.
    pub series: u64,
    /// Series that it left out.
    pub series_dropped: u64,
    /// Samples and exemplars that it holds.
    pub samples: u64,
    /// Samples and exemplars that it left out.
    pub samples_dropped: u64,
    /// Records of an unknown type, left out.
    pub unknown_records: u64,
}

/// A checkpoint could not be made; the log is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The segments that it was to replace are damaged.
    #[error("checkpoint of the write-ahead log")]
    Corrupt(#[from] Corruption),
    /// It could not be written.
    #[error("checkpoint of the write-ahead log")]
    Log(#[from] LogError),
    /// The disk refused.
    #[error("checkpoint of the write-ahead log: {}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

impl error_kind::Kind for CheckpointError {
    fn kind(&self) -> error_kind::ErrorKind {
        match self {
            CheckpointError::Corrupt(error) => error.kind(),
            CheckpointError::Log(error) => error.kind(),
            CheckpointError::Disk { .. } => error_kind::ErrorKind::Unavailable,
        }
    }
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Disk { path, source }
}

/// The finished checkpoints in the folder of a log, the newest last.
///
/// # Errors
/// Whatever the disk says.
pub fn checkpoints(fs: &dyn Fs, folder: &Path) -> io::Result<Vec<Checkpoint>> {
    let entries = match fs.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let checkpoint = |entry: crate::fs::Entry| {
        let index = numbered(entry.name.strip_prefix(PREFIX)?).filter(|_| entry.is_dir)?;
        Some(Checkpoint { index, path: folder.join(entry.name) })
    };
    let mut found: Vec<Checkpoint> = entries.into_iter().filter_map(checkpoint).collect();
    found.sort_by_key(|checkpoint| checkpoint.index);
    Ok(found)
}

/// The files to read for the whole of a log: those of the newest checkpoint, then the segments after it.
///
/// # Errors
/// Whatever the disk says.
pub fn log_files(fs: &dyn Fs, folder: &Path) -> io::Result<(Vec<SegmentFile>, Vec<SegmentFile>)> {
    let Some(checkpoint) = checkpoints(fs, folder)?.pop() else {
        return Ok((Vec::new(), segments(fs, folder)?));
    };
    let after =
        segments(fs, folder)?.into_iter().filter(|segment| segment.index > checkpoint.index).collect();
    Ok((segments(fs, &checkpoint.path)?, after))
}

/// Makes the checkpoint of all segments up to `last`, from the newest checkpoint and the segments after it. Kept are the series
/// for which `keep` says so, the samples and exemplars from `min_time` on, and the newest metadata. Segments that are replaced
/// stay; see [`Wal::truncate`].
///
/// # Errors
/// [`CheckpointError`].
pub fn create(
    fs: &Arc<dyn Fs>,
    folder: &Path,
    last: u64,
    options: WalOptions,
    min_time: i64,
    keep: &mut dyn FnMut(SeriesRef) -> bool,
) -> Result<CheckpointStats, CheckpointError> {
    let path = folder.join(format!("{PREFIX}{last:08}"));
    let unfinished = folder.join(format!("{PREFIX}{last:08}{UNFINISHED}"));
    remove_unfinished(&**fs, folder).map_err(disk(folder))?;
    let (before, segments) = log_files(&**fs, folder).map_err(disk(folder))?;
    let segments = segments.into_iter().filter(|segment| segment.index <= last).collect();
    let mut filter = Filter {
        log: Wal::open(fs.clone(), &unfinished, options)?,
        min_time,
        keep,
        records: Vec::new(),
        metadata: BTreeMap::new(),
        stats: CheckpointStats::default(),
    };
    for files in [before, segments] {
        let mut reader = RecordReader::new(&**fs, files);
        while let Some(record) = reader.next_record()? {
            if let Err(at) = filter.take(record) {
                return Err(reader.record_fault(at).into());
            }
            filter.write(BATCH)?;
        }
    }
    let stats = filter.finish()?;
    fs.sync_dir(&unfinished).map_err(disk(&unfinished))?;
    if fs.stat(&path).is_ok() {
        fs.remove_dir_all(&path).map_err(disk(&path))?;
    }
    fs.rename(&unfinished, &path).and_then(|()| fs.sync_dir(folder)).map_err(disk(&path))?;
    Ok(stats)
}

/// Removes the checkpoints before the newest.
///
/// # Errors
/// Whatever the disk says.
pub fn remove_old(fs: &dyn Fs, folder: &Path) -> io::Result<()> {
    let mut all = checkpoints(fs, folder)?;
    all.pop();
    for checkpoint in all {
        fs.remove_dir_all(&checkpoint.path)?;
    }
    fs.sync_dir(folder)
}

/// Removes checkpoints that a crash left unfinished.
///
/// # Errors
/// Whatever the disk says.
pub fn remove_unfinished(fs: &dyn Fs, folder: &Path) -> io::Result<()> {
    for entry in fs.list(folder)? {
        if entry.is_dir && entry.name.starts_with(PREFIX) && entry.name.ends_with(UNFINISHED) {
            fs.remove_dir_all(&folder.join(entry.name))?;
        }
    }
    Ok(())
}

struct Filter<'a> {
    log: Wal,
    min_time: i64,
    keep: &'a mut dyn FnMut(SeriesRef) -> bool,
    records: Vec<Vec<u8>>,
    metadata: BTreeMap<SeriesRef, (MetricType, String, String)>,
    stats: CheckpointStats,
}

impl Filter<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), crate::encoding::At> {
        let Some(kind) = RecordType::of(bytes) else {
            self.stats.unknown_records += 1;
            return Ok(());
        };
        let mut out = Vec::new();
        match kind {
            RecordType::Series => {
                let mut series = Vec::new();
                record::decode_series(bytes, &mut series)?;
                let all = series.len();
                series.retain(|series| (self.keep)(series.series));
                self.stats.series += series.len() as u64;
                self.stats.series_dropped += (all - series.len()) as u64;
                if !series.is_empty() {
                    encode_series(&series, &mut out);
                }
            }
            RecordType::Samples | RecordType::SamplesV2 => {
                let mut samples = Vec::new();
                record::decode_samples(bytes, &mut samples)?;
                if self.drop_old(&mut samples, |sample| sample.timestamp) {
                    encode_samples(&samples, &mut out);
                }
            }
            RecordType::Histograms | RecordType::CustomHistograms | RecordType::HistogramsV2 => {
                let mut samples = Vec::new();
                record::decode_histograms(bytes, &mut samples)?;
                if self.drop_old(&mut samples, |sample: &RefHistogram| sample.timestamp) {
                    encode_histograms(&samples, &mut self.records);
                }
            }
            RecordType::FloatHistograms
            | RecordType::CustomFloatHistograms
            | RecordType::FloatHistogramsV2 => {
                let mut samples = Vec::new();
                record::decode_float_histograms(bytes, &mut samples)?;
                if self.drop_old(&mut samples, |sample: &RefFloatHistogram| sample.timestamp) {
                    encode_float_histograms(&samples, &mut self.records);
                }
            }
            RecordType::Exemplars => {
                let mut exemplars = Vec::new();
                record::decode_exemplars(bytes, &mut exemplars)?;
                if self.drop_old(&mut exemplars, |exemplar| exemplar.timestamp) {
                    encode_exemplars(&exemplars, &mut out);
                }
            }
            RecordType::Tombstones => {
                let mut tombstones = Vec::new();
                record::decode_tombstones(bytes, &mut tombstones)?;
                tombstones.retain(|stone| stone.max_time >= self.min_time && (self.keep)(stone.series));
                if !tombstones.is_empty() {
                    encode_tombstones(&tombstones, &mut out);
                }
            }
            RecordType::Metadata => {
                let mut metadata = Vec::new();
                record::decode_metadata(bytes, &mut metadata)?;
                for RefMetadata { series, kind, unit, help } in metadata {
                    if (self.keep)(series) {
                        self.metadata.insert(series, (kind, unit.to_owned(), help.to_owned()));
                    }
                }
            }
            RecordType::ChunkMarks | RecordType::MinValidTime => {}
        }
        if !out.is_empty() {
            self.records.push(out);
        }
        Ok(())
    }

    /// Whether any are left.
    fn drop_old<S>(&mut self, samples: &mut Vec<S>, timestamp: impl Fn(&S) -> i64) -> bool {
        let all = samples.len();
        samples.retain(|sample| timestamp(sample) >= self.min_time);
        self.stats.samples += samples.len() as u64;
        self.stats.samples_dropped += (all - samples.len()) as u64;
        !samples.is_empty()
    }

    /// Writes what was collected, if that is so much.
    fn write(&mut self, at_least: usize) -> Result<(), LogError> {
        if self.records.iter().map(Vec::len).sum::<usize>() < at_least {
            return Ok(());
        }
        let records: Vec<&[u8]> = self.records.iter().map(Vec::as_slice).collect();
        self.log.log(&records)?;
        self.records.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<CheckpointStats, LogError> {
        let metadata: Vec<RefMetadata<'_>> = self
            .metadata
            .iter()
            .map(|(series, (kind, unit, help))| RefMetadata { series: *series, kind: *kind, unit, help })
            .collect();
        if !metadata.is_empty() {
            let mut record = Vec::new();
            encode_metadata(&metadata, &mut record);
            self.records.push(record);
        }
        self.write(0)?;
        self.log.sync()?;
        Ok(self.stats)
    }
}
