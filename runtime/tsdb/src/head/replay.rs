//! Opens a head: head chunk files, checkpoint, log, log of out-of-order samples.

mod apply;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use hashbrown::HashMap;

use crate::chunk::Encoding;
use crate::corruption::{Corruption, Fault};
use crate::fs::Fs;
use crate::wal::record::{RefFloatHistogram, RefHistogram, RefSample, SeriesRef};
use crate::wal::{
    LogError, RecordReader, RepairError, SegmentFile, Wal, checkpoint, cut_torn_tail, set_aside,
};

use super::chunk_files::{ChunkFiles, Found, HeadChunk};
use super::commit::Durability;
use super::postings::Slot;
use super::series::{Closed, Place};
use super::state::State;
use super::{Head, HeadOptions};

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Files of the logs that were read.
    pub files: usize,
    /// Files of the logs in all.
    pub files_total: usize,
    /// Samples that were read.
    pub samples: u64,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// Samples that were read, of all kinds, also those that blocks or chunks have already.
    pub samples: u64,
    /// Files of the logs that were read.
    pub files: usize,
    /// Damage; everything before it in its file is back, the rest is set aside.
    pub damage: Vec<Corruption>,
    /// Files that were renamed.
    pub set_aside: Vec<PathBuf>,
    /// Records that a crash cut off; they were never acknowledged. Also a chunk in the last head chunk file, whose samples are
    /// in the log.
    pub torn_records: u64,
    /// Records of unknown types, passed over.
    pub unknown_records: u64,
    /// Samples, exemplars, metadata and markers of series that nobody introduced.
    pub unknown_series: u64,
    /// Histograms that contradict themselves or have an unknown schema, left out.
    pub invalid_histograms: u64,
}

/// A head that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk refused.
    #[error("opening the head in {}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// A file could not be read; it may be sound.
    #[error("opening the head")]
    Unreadable(#[source] Corruption),
    /// Damage could not be set aside.
    #[error("opening the head")]
    Repair(#[from] RepairError),
    /// The log cannot be written.
    #[error("opening the head")]
    Log(#[from] LogError),
}

impl error_kind::Kind for OpenError {
    fn kind(&self) -> error_kind::ErrorKind {
        error_kind::ErrorKind::Unavailable
    }
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Disk { path, source }
}

impl Head {
    /// Opens the head in a folder, which is made if it is not there, and reads its logs. Samples before `min_valid_time` are in
    /// blocks and are left out. Damage does not keep it from opening: see [`Replay`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        fs: Arc<dyn Fs>,
        folder: &Path,
        options: HeadOptions,
        min_valid_time: i64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Head, Replay), OpenError> {
        let options = options.sound();
        let (wal, wbl) = (folder.join("wal"), folder.join("wbl"));
        fs.create_dir_all(&wal).map_err(disk(&wal))?;
        let mut replay = Replayer::new(&options);
        replay.state.min_valid_time = min_valid_time;
        replay.chunk_files(&fs, &folder.join("chunks_head"))?;
        checkpoint::remove_unfinished(&*fs, &wal).map_err(disk(&wal))?;
        let (before, segments) = checkpoint::log_files(&*fs, &wal).map_err(disk(&wal))?;
        let others = crate::wal::segments(&*fs, &wbl).map_err(disk(&wbl))?;
        replay.files_total = before.len() + segments.len() + others.len();
        let out_of_order = !others.is_empty() || options.out_of_order_window_ms > 0;
        replay.log(&*fs, before, false, progress)?;
        replay.log(&*fs, segments, false, progress)?;
        replay.log(&*fs, others, true, progress)?;
        let Replayer { mut state, found, .. } = replay;
        if state.min_time != i64::MAX {
            // A chunk may begin before the end of the newest block.
            state.min_time = state.min_time.max(min_valid_time);
        }
        state.collect_garbage();
        state.wal = Some(Wal::open(fs.clone(), &wal, options.wal)?);
        if out_of_order {
            state.wbl = Some(Wal::open(fs.clone(), &wbl, options.wal)?);
        }
        fs.sync_dir(folder).map_err(disk(folder))?;
        let (state, durability) = (RwLock::new(state), Durability::default());
        Ok((Head { options, disk: Some((fs, folder.to_owned())), state, durability }, found))
    }
}

#[derive(Default)]
struct Attached {
    in_order: Vec<Closed>,
    out_of_order: Vec<Closed>,
}

/// Samples that wait to be applied series by series: at least, and at most.
const PENDING_MIN: usize = 64 * 1024;
const PENDING_MAX: usize = 1024 * 1024;

/// Vectors that decoders fill again and again.
#[derive(Default)]
struct Buffers {
    /// In-order floats that are not in their series yet. Scrape by scrape each series would be fetched from memory for a single
    /// sample; sorted by series it is fetched for several.
    pending: Vec<(Slot, i64, u64)>,
    samples: Vec<RefSample>,
    histograms: Vec<RefHistogram>,
    float_histograms: Vec<RefFloatHistogram>,
}

struct Replayer<'o> {
    options: &'o HeadOptions,
    state: State,
    found: Replay,
    /// Chunks of series that the log has not introduced yet.
    attached: HashMap<SeriesRef, Attached, foldhash::fast::FixedState>,
    last_chunk: u64,
    /// References of series that are known by another one.
    other_refs: HashMap<SeriesRef, SeriesRef, foldhash::fast::FixedState>,
    buffers: Buffers,
    files_total: usize,
}

impl<'o> Replayer<'o> {
    fn new(options: &'o HeadOptions) -> Self {
        Replayer {
            options,
            state: State::new(options.exemplars_max),
            found: Replay::default(),
            attached: HashMap::default(),
            last_chunk: 0,
            other_refs: HashMap::default(),
            buffers: Buffers::default(),
            files_total: 0,
        }
    }

    fn chunk_files(&mut self, fs: &Arc<dyn Fs>, folder: &Path) -> Result<(), OpenError> {
        let min_valid_time = self.state.min_valid_time;
        let (attached, mut last_ref) = (&mut self.attached, 0);
        let mut attach = |place: u64, chunk: &HeadChunk<'_>| {
            last_ref = chunk.series.0.max(last_ref);
            let Ok(encoding) = Encoding::from_u8(chunk.encoding) else {
                // A newer version wrote it; the log has its samples.
                return Ok(());
            };
            let (min_time, max_time, samples) = (chunk.min_time, chunk.max_time, chunk.samples());
            if min_time > max_time {
                return Err(Fault::Order("the times of a chunk"));
            }
            let closed = Closed { min_time, max_time, samples, encoding, place: Place::File(place) };
            if chunk.out_of_order {
                attached.entry(chunk.series).or_default().out_of_order.push(closed);
            } else if max_time >= min_valid_time {
                let chunks = &mut attached.entry(chunk.series).or_default().in_order;
                if chunks.last().is_some_and(|before| before.max_time >= min_time) {
                    return Err(Fault::Order("the chunks of a series"));
                }
                chunks.push(closed);
            }
            Ok(())
        };
        let opened = ChunkFiles::open(fs.clone(), folder, &mut attach);
        let (files, Found { damage, last, torn }) = opened.map_err(disk(folder))?;
        self.found.damage.extend(damage);
        self.found.torn_records += u64::from(torn);
        self.last_chunk = last;
        self.state.last_ref = last_ref;
        self.state.chunk_files = Some(files);
        Ok(())
    }

    /// Reads segments of a log, and repairs it where it is damaged.
    fn log(
        &mut self,
        fs: &dyn Fs,
        files: Vec<SegmentFile>,
        out_of_order: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), OpenError> {
        let Some(folder) = files.first().and_then(|file| file.path.parent()).map(Path::to_owned) else {
            return Ok(());
        };
        let (mut reader, mut file) = (RecordReader::new(fs, files), None);
        let damage = loop {
            let damage = match reader.next_record() {
                Ok(None) => break None,
                Err(damage) => damage,
                Ok(Some(bytes)) => match self.record(bytes, out_of_order) {
                    Ok(()) => {
                        let current = reader.segment().map(|segment| segment.index);
                        if current != file {
                            (file, self.found.files) = (current, self.found.files + 1);
                            let (files, samples) = (self.found.files, self.found.samples);
                            progress(Progress { files, files_total: self.files_total, samples });
                        }
                        continue;
                    }
                    Err(at) => {
                        let damage = reader.record_fault(at);
                        reader.reject_record();
                        damage
                    }
                },
            };
            break Some(damage);
        };
        match damage {
            Some(damage) if matches!(damage.fault, Fault::Io(_)) => {
                return Err(OpenError::Unreadable(damage));
            }
            Some(damage) => {
                let (index, good) = reader.damaged_at();
                self.found.damage.push(damage);
                self.found.set_aside.extend(set_aside(fs, &folder, index, good)?.set_aside);
            }
            None => {}
        }
        self.apply_pending();
        if let Some(torn) = reader.torn()
            && let Some(last) = reader.segment()
        {
            self.found.torn_records += 1;
            cut_torn_tail(fs, &last.path, torn)?;
        }
        Ok(())
    }
}
