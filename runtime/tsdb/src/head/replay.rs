//! Opens a head: head chunk files, checkpoint, log, log of out-of-order samples.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use hashbrown::HashMap;
use prom_model::is_stale;

use crate::chunk::Encoding;
use crate::corruption::{Corruption, Fault};
use crate::encoding::At;
use crate::fs::Fs;
use crate::wal::record::{
    self, ChunkMark, RecordType, RefExemplar, RefFloatHistogram, RefHistogram, RefMetadata, RefSample,
    RefSeries, SeriesRef, Tombstone,
};
use crate::wal::{
    LogError, RecordReader, RepairError, SegmentFile, Wal, checkpoint, cut_torn_tail, set_aside,
};

use super::append::check_labels;
use super::chunk_files::{ChunkFiles, Found, HeadChunk};
use super::commit::Durability;
use super::exemplars::Exemplar;
use super::out_of_order::Value;
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
    /// Records that a crash cut off; they were never acknowledged.
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
        let (files, Found { damage, last }) = opened.map_err(disk(folder))?;
        self.found.damage.extend(damage);
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

    fn record(&mut self, bytes: &[u8], out_of_order: bool) -> Result<(), At> {
        let Some(kind) = RecordType::of(bytes) else {
            self.found.unknown_records += 1;
            return Ok(());
        };
        if !matches!(kind, RecordType::Samples | RecordType::SamplesV2) {
            self.apply_pending();
        }
        match kind {
            RecordType::Samples | RecordType::SamplesV2 => {
                let mut samples = std::mem::take(&mut self.buffers.samples);
                samples.clear();
                let decoded = record::decode_samples(bytes, &mut samples);
                if decoded.is_ok() {
                    self.samples(&samples, out_of_order);
                }
                self.buffers.samples = samples;
                decoded?;
            }
            RecordType::Histograms | RecordType::CustomHistograms | RecordType::HistogramsV2 => {
                let mut samples = std::mem::take(&mut self.buffers.histograms);
                samples.clear();
                self.found.invalid_histograms += record::decode_histograms(bytes, &mut samples)?;
                for sample in samples.drain(..) {
                    self.histogram(sample, out_of_order);
                }
                self.buffers.histograms = samples;
            }
            RecordType::FloatHistograms
            | RecordType::CustomFloatHistograms
            | RecordType::FloatHistogramsV2 => {
                let mut samples = std::mem::take(&mut self.buffers.float_histograms);
                samples.clear();
                self.found.invalid_histograms += record::decode_float_histograms(bytes, &mut samples)?;
                for sample in samples.drain(..) {
                    self.float_histogram(sample, out_of_order);
                }
                self.buffers.float_histograms = samples;
            }
            RecordType::ChunkMarks if out_of_order => {
                let mut marks = Vec::new();
                record::decode_chunk_marks(bytes, &mut marks)?;
                marks.into_iter().for_each(|mark| self.chunk_mark(mark));
            }
            _ if out_of_order => {}
            RecordType::Series => {
                let mut series = Vec::new();
                record::decode_series(bytes, &mut series)?;
                for one in &series {
                    self.series(one)?;
                }
            }
            RecordType::Tombstones => {
                let mut tombstones = Vec::new();
                record::decode_tombstones(bytes, &mut tombstones)?;
                tombstones.into_iter().for_each(|tombstone| self.tombstone(tombstone));
            }
            RecordType::Exemplars => {
                let mut exemplars = Vec::new();
                record::decode_exemplars(bytes, &mut exemplars)?;
                exemplars.into_iter().for_each(|exemplar| self.exemplar(exemplar));
            }
            RecordType::Metadata => {
                let mut metadata = Vec::new();
                record::decode_metadata(bytes, &mut metadata)?;
                metadata.into_iter().for_each(|metadata| self.metadata(metadata));
            }
            RecordType::MinValidTime => {
                record::decode_min_valid_time(bytes)?;
            }
            RecordType::ChunkMarks => {}
        }
        self.state.store_chunks();
        Ok(())
    }

    fn series(&mut self, one: &RefSeries<'_>) -> Result<(), At> {
        let damage = |_| At { offset: 0, fault: Fault::Rule("a series with invalid labels") };
        let mut labels = one.labels.clone();
        labels.retain(|(_, value)| !value.is_empty());
        check_labels(&labels).map_err(damage)?;
        self.state.last_ref = self.state.last_ref.max(one.series.0);
        let slot = match self.state.find(&labels) {
            Some(slot) => {
                let known = self.state.series(slot).map(|series| series.reference);
                if let Some(known) = known.filter(|known| *known != one.series) {
                    self.other_refs.insert(one.series, known);
                }
                slot
            }
            None => self.state.create(&labels, one.series).map_err(damage)?,
        };
        if let Some(Attached { in_order, mut out_of_order }) = self.attached.remove(&one.series)
            && let Some(series) = self.state.series_mut(slot)
        {
            let mut times = Vec::new();
            for chunk in in_order {
                if chunk.min_time > series.last_time || series.last_time == i64::MIN {
                    series.close();
                    series.last_time = chunk.max_time;
                    times.extend([chunk.min_time, chunk.max_time]);
                    series.closed.push(chunk);
                }
            }
            series.closed.shrink_to_fit();
            let mut other_times = Vec::new();
            if !out_of_order.is_empty() {
                other_times.extend(out_of_order.iter().flat_map(|chunk| [chunk.min_time, chunk.max_time]));
                series.out_of_order.get_or_insert_default().closed.append(&mut out_of_order);
            }
            times.into_iter().for_each(|time| self.state.note_in_order(time));
            other_times.into_iter().for_each(|time| self.state.note_out_of_order(time));
        }
        Ok(())
    }

    /// The series that a sample names, if it is one to be kept.
    #[inline]
    fn wanted(&mut self, mut series: SeriesRef, timestamp: i64, out_of_order: bool) -> Option<Slot> {
        self.found.samples += 1;
        // A number that was given once is given to nobody else, also where nothing of its series is left.
        self.state.last_ref = self.state.last_ref.max(series.0);
        if !out_of_order && timestamp < self.state.min_valid_time {
            return None;
        }
        if !self.other_refs.is_empty()
            && let Some(known) = self.other_refs.get(&series)
        {
            let until = self.state.retained.entry(series).or_insert(timestamp);
            *until = (*until).max(timestamp);
            series = *known;
        }
        let slot = self.state.slot(series);
        if slot.is_none() {
            self.found.unknown_series += 1;
        }
        slot
    }

    fn samples(&mut self, samples: &[RefSample], out_of_order: bool) {
        for sample in samples {
            let Some(slot) = self.wanted(sample.series, sample.timestamp, out_of_order) else {
                continue;
            };
            if out_of_order {
                self.out_of_order(slot, sample.timestamp, Value::Float(sample.value.to_bits()));
            } else {
                self.buffers.pending.push((slot, sample.timestamp, sample.value.to_bits()));
            }
        }
        if self.buffers.pending.len() >= (4 * self.state.live).clamp(PENDING_MIN, PENDING_MAX) {
            self.apply_pending();
        }
    }

    fn apply_pending(&mut self) {
        let mut pending = std::mem::take(&mut self.buffers.pending);
        // Stable: the samples of a series stay in their order.
        pending.sort_by_key(|(slot, _, _)| *slot);
        let range = self.options.chunk_range_ms;
        let State { series, unstored, min_time, max_time, .. } = &mut self.state;
        for (slot, timestamp, bits) in pending.drain(..) {
            let Some(series) = series.get_mut(slot).and_then(Option::as_mut) else {
                continue;
            };
            if timestamp > series.last_time || series.last_time == i64::MIN {
                if series.append_float(timestamp, f64::from_bits(bits), range) {
                    unstored.push(slot);
                }
                (*min_time, *max_time) = (timestamp.min(*min_time), timestamp.max(*max_time));
            }
        }
        self.buffers.pending = pending;
        self.state.store_chunks();
    }

    fn histogram(&mut self, sample: RefHistogram, out_of_order: bool) {
        let RefHistogram { series, timestamp, histogram, .. } = sample;
        let Some(slot) = self.wanted(series, timestamp, out_of_order) else {
            return;
        };
        if !is_stale(histogram.sum) && histogram.validate().is_err() {
            self.found.invalid_histograms += 1;
            return;
        }
        if out_of_order {
            return self.out_of_order(slot, timestamp, Value::Histogram(Box::new(histogram)));
        }
        let range = self.options.chunk_range_ms;
        let Some(series) = self.state.series_mut(slot) else {
            return;
        };
        if timestamp > series.last_time || series.last_time == i64::MIN {
            if series.append_histogram(timestamp, &histogram, range) {
                self.state.unstored.push(slot);
            }
            self.state.note_in_order(timestamp);
        }
    }

    fn float_histogram(&mut self, sample: RefFloatHistogram, out_of_order: bool) {
        let RefFloatHistogram { series, timestamp, histogram, .. } = sample;
        let Some(slot) = self.wanted(series, timestamp, out_of_order) else {
            return;
        };
        if !is_stale(histogram.sum) && histogram.validate().is_err() {
            self.found.invalid_histograms += 1;
            return;
        }
        if out_of_order {
            return self.out_of_order(slot, timestamp, Value::FloatHistogram(Box::new(histogram)));
        }
        let range = self.options.chunk_range_ms;
        let Some(series) = self.state.series_mut(slot) else {
            return;
        };
        if timestamp > series.last_time || series.last_time == i64::MIN {
            if series.append_float_histogram(timestamp, &histogram, range) {
                self.state.unstored.push(slot);
            }
            self.state.note_in_order(timestamp);
        }
    }

    fn out_of_order(&mut self, slot: Slot, timestamp: i64, value: Value) {
        if let Some(series) = self.state.series_mut(slot) {
            series.out_of_order.get_or_insert_default().insert(timestamp, value);
            self.state.note_out_of_order(timestamp);
        }
    }

    fn chunk_mark(&mut self, mark: ChunkMark) {
        if mark.chunk > self.last_chunk {
            // The chunk did not survive; its samples come from this log.
            return;
        }
        let series = self.other_refs.get(&mark.series).copied().unwrap_or(mark.series);
        match self.state.slot(series).and_then(|slot| self.state.series_mut(slot)) {
            None => self.found.unknown_series += 1,
            Some(series) => {
                if let Some(others) = &mut series.out_of_order {
                    others.samples.clear();
                }
            }
        }
    }

    fn tombstone(&mut self, tombstone: Tombstone) {
        let Tombstone { series, min_time, max_time } = tombstone;
        self.state.last_ref = self.state.last_ref.max(series.0);
        let series = self.other_refs.get(&series).copied().unwrap_or(series);
        let Some(slot) = self.state.slot(series) else {
            self.found.unknown_series += 1;
            return;
        };
        if (min_time, max_time) == (i64::MIN, i64::MAX) {
            self.state.remove(slot);
        } else if max_time >= self.state.min_valid_time
            && let Some(series) = self.state.series_mut(slot)
        {
            series.extra().deleted.push((min_time, max_time));
        }
    }

    fn exemplar(&mut self, exemplar: RefExemplar<'_>) {
        let RefExemplar { series, timestamp, value, labels } = exemplar;
        if timestamp < self.state.min_valid_time {
            return;
        }
        let series = self.other_refs.get(&series).copied().unwrap_or(series);
        if self.state.slot(series).is_none() {
            self.found.unknown_series += 1;
            return;
        }
        let labels = labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let exemplar = Exemplar { series, timestamp, value, labels };
        if self.state.exemplars.check(&exemplar, None) == Ok(true) {
            self.state.exemplars.push(exemplar);
        }
    }

    fn metadata(&mut self, metadata: RefMetadata<'_>) {
        let RefMetadata { series, kind, unit, help } = metadata;
        let series = self.other_refs.get(&series).copied().unwrap_or(series);
        match self.state.slot(series).and_then(|slot| self.state.series_mut(slot)) {
            None => self.found.unknown_series += 1,
            Some(series) => series.extra().metadata = Some((kind, unit.into(), help.into())),
        }
    }
}
