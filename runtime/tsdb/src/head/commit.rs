//! The commit of a batch: first the logs, then memory.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::fs::FileSync;
use crate::wal::record::{
    ChunkMark, RefExemplar, RefFloatHistogram, RefHistogram, RefMetadata, RefSample, RefSeries,
    encode_chunk_marks, encode_exemplars, encode_float_histograms, encode_histograms, encode_metadata,
    encode_samples, encode_series,
};
use crate::wal::{LogError, Wal};

use super::append::Committed;
use super::out_of_order::Value;
use super::postings::Slot;
use super::series::Place;
use super::state::{Group, State};
use super::{Fsync, Head};

/// Takes back what a batch staged and did not commit.
pub(super) fn roll_back(state: &mut State) {
    let mut staged = std::mem::take(&mut state.staged);
    let groups = staged.groups.iter().chain([&staged.current]);
    let slots = groups.flat_map(|group| {
        let floats = group.floats.iter().map(|(slot, _)| *slot);
        let histograms = group.histograms.iter().map(|(slot, _)| *slot);
        floats.chain(histograms).chain(group.float_histograms.iter().map(|(slot, _)| *slot))
    });
    for slot in slots {
        if let Some(series) = state.series_mut(slot) {
            series.forget_staged();
        }
    }
    for slot in &staged.metadata {
        if let Some(series) = state.series_mut(*slot) {
            series.extra().metadata = None;
        }
    }
    staged.clear();
    state.staged = staged;
}

/// Logs the staged batch, then applies it. The ticket says what has to be synced before it may be acknowledged.
pub(super) fn commit(head: &Head, state: &mut State) -> Result<(Committed, Option<u64>), LogError> {
    if head.durability.failed() {
        return Err(LogError::Failed);
    }
    if !state.staged.current.is_empty() {
        let current = std::mem::take(&mut state.staged.current);
        state.staged.groups.push(current);
    }
    let mut committed = Committed::default();
    log_in_order(state)?;
    state.unlogged.clear();
    let groups = std::mem::take(&mut state.staged.groups);
    let range = head.options.chunk_range_ms;
    for group in &groups {
        committed.samples += apply(state, group, range);
    }
    state.staged.metadata.clear();
    for exemplar in std::mem::take(&mut state.staged.exemplars) {
        state.exemplars.push(exemplar);
        committed.exemplars += 1;
    }
    // The vectors of one group are kept for the next batch.
    if let Some(mut group) = groups.into_iter().next() {
        group.floats.clear();
        group.histograms.clear();
        group.float_histograms.clear();
        state.staged.current = group;
    }
    let out_of_order = std::mem::take(&mut state.staged.out_of_order);
    if !out_of_order.is_empty() {
        committed.out_of_order = commit_out_of_order(head, state, out_of_order)?;
    }
    state.store_chunks();
    Ok((committed, head.durability.enter(state, head.options.fsync)?))
}

fn log_in_order(state: &mut State) -> Result<(), LogError> {
    let Some(mut wal) = state.wal.take() else {
        return Ok(());
    };
    let records = records(state);
    let written = if records.is_empty() {
        Ok(())
    } else {
        wal.log(&records.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    state.wal = Some(wal);
    written
}

/// The records of the staged batch, in the order in which they are applied.
fn records(state: &State) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let series: Vec<RefSeries<'_>> = state
        .unlogged
        .iter()
        .filter_map(|slot| state.series(*slot))
        .map(|series| RefSeries { series: series.reference, labels: state.labels(series).collect() })
        .collect();
    if !series.is_empty() {
        records.push(encoded(|record| encode_series(&series, record)));
    }
    let metadata: Vec<RefMetadata<'_>> = state
        .staged
        .metadata
        .iter()
        .filter_map(|slot| {
            let series = state.series(*slot)?;
            let (kind, unit, help) = series.extra.as_ref()?.metadata.as_ref()?;
            Some(RefMetadata { series: series.reference, kind: *kind, unit, help })
        })
        .collect();
    if !metadata.is_empty() {
        records.push(encoded(|record| encode_metadata(&metadata, record)));
    }
    for group in &state.staged.groups {
        if !group.floats.is_empty() {
            let samples: Vec<RefSample> = group.floats.iter().map(|(_, sample)| *sample).collect();
            records.push(encoded(|record| encode_samples(&samples, record)));
        }
        if !group.histograms.is_empty() {
            let samples: Vec<RefHistogram> =
                group.histograms.iter().map(|(_, sample)| sample.clone()).collect();
            encode_histograms(&samples, &mut records);
        }
        if !group.float_histograms.is_empty() {
            let samples: Vec<RefFloatHistogram> =
                group.float_histograms.iter().map(|(_, sample)| sample.clone()).collect();
            encode_float_histograms(&samples, &mut records);
        }
    }
    let exemplars: Vec<RefExemplar<'_>> = state
        .staged
        .exemplars
        .iter()
        .map(|exemplar| RefExemplar {
            series: exemplar.series,
            timestamp: exemplar.timestamp,
            value: exemplar.value,
            labels: exemplar.labels.iter().map(|(name, value)| (&**name, &**value)).collect(),
        })
        .collect();
    if !exemplars.is_empty() {
        records.push(encoded(|record| encode_exemplars(&exemplars, record)));
    }
    records
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut record = Vec::new();
    encode(&mut record);
    record
}

fn apply(state: &mut State, group: &Group, range: i64) -> u64 {
    let mut applied = 0;
    let State { series, unstored, min_time, max_time, .. } = state;
    let mut note = |timestamp: i64| {
        *min_time = (*min_time).min(timestamp);
        *max_time = (*max_time).max(timestamp);
        applied += 1;
    };
    for (slot, sample) in &group.floats {
        if let Some(series) = series.get_mut(*slot).and_then(Option::as_mut) {
            if series.append_float(sample.timestamp, sample.value, range) {
                unstored.push(*slot);
            }
            note(sample.timestamp);
        }
    }
    for (slot, sample) in &group.histograms {
        if let Some(series) = series.get_mut(*slot).and_then(Option::as_mut) {
            if series.append_histogram(sample.timestamp, &sample.histogram, range) {
                unstored.push(*slot);
            }
            note(sample.timestamp);
        }
    }
    for (slot, sample) in &group.float_histograms {
        if let Some(series) = series.get_mut(*slot).and_then(Option::as_mut) {
            if series.append_float_histogram(sample.timestamp, &sample.histogram, range) {
                unstored.push(*slot);
            }
            note(sample.timestamp);
        }
    }
    applied
}

fn commit_out_of_order(
    head: &Head,
    state: &mut State,
    samples: Vec<(Slot, i64, Value)>,
) -> Result<u64, LogError> {
    let records = out_of_order_records(state, &samples);
    if let Some(wbl) = &mut state.wbl {
        wbl.log(&records.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    }
    let (mut inserted, mut full) = (0, Vec::new());
    for (slot, timestamp, value) in samples {
        let Some(series) = state.series_mut(slot) else {
            continue;
        };
        let others = series.out_of_order.get_or_insert_default();
        inserted += u64::from(others.insert(timestamp, value));
        if others.samples.len() >= head.options.out_of_order_samples_max {
            full.push(slot);
        }
        state.note_out_of_order(timestamp);
    }
    full.sort_unstable();
    full.dedup();
    close_out_of_order(state, &full)?;
    Ok(inserted)
}

/// Writes the out-of-order samples of these series as chunks, and marks in the log that they are there.
pub(super) fn close_out_of_order(state: &mut State, slots: &[Slot]) -> Result<(), LogError> {
    let before = state.chunk_write_failures;
    for slot in slots {
        if let Some(series) = state.series_mut(*slot)
            && series.out_of_order.as_mut().is_some_and(|others| others.close())
        {
            state.unstored.push(*slot);
        }
    }
    state.store_chunks();
    if slots.is_empty() || state.chunk_write_failures != before {
        // Without marks the samples are read from the log again, which is right as well.
        return Ok(());
    }
    let marks: Vec<ChunkMark> = slots
        .iter()
        .filter_map(|slot| {
            let series = state.series(*slot)?;
            match series.out_of_order.as_ref()?.closed.last()?.place {
                Place::File(chunk) => Some(ChunkMark { series: series.reference, chunk }),
                Place::Memory(_) => None,
            }
        })
        .collect();
    match &mut state.wbl {
        Some(wbl) if !marks.is_empty() => wbl.log(&[&encoded(|record| encode_chunk_marks(&marks, record))]),
        _ => Ok(()),
    }
}

fn out_of_order_records(state: &State, samples: &[(Slot, i64, Value)]) -> Vec<Vec<u8>> {
    let (mut floats, mut histograms, mut float_histograms) = (Vec::new(), Vec::new(), Vec::new());
    for (slot, timestamp, value) in samples {
        let Some(series) = state.series(*slot).map(|series| series.reference) else {
            continue;
        };
        let (start, timestamp) = (0, *timestamp);
        match value {
            Value::Float(bits) => {
                floats.push(RefSample { series, start, timestamp, value: f64::from_bits(*bits) });
            }
            Value::Histogram(histogram) => {
                histograms.push(RefHistogram { series, start, timestamp, histogram: (**histogram).clone() });
            }
            Value::FloatHistogram(histogram) => {
                let histogram = (**histogram).clone();
                float_histograms.push(RefFloatHistogram { series, start, timestamp, histogram });
            }
        }
    }
    let mut records = Vec::new();
    if !floats.is_empty() {
        records.push(encoded(|record| encode_samples(&floats, record)));
    }
    encode_histograms(&histograms, &mut records);
    encode_float_histograms(&float_histograms, &mut records);
    records
}

/// Syncs what commits wrote: one sync for all that wait at the same time.
#[derive(Debug, Default)]
pub(super) struct Durability {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

type Syncers = Vec<(PathBuf, Arc<dyn FileSync>)>;

#[derive(Debug, Default)]
struct Waiting {
    /// Tickets given and tickets whose writes are durable.
    entered: u64,
    done: u64,
    running: bool,
    failed: bool,
    /// Ended segments, then the current ones.
    ended: Syncers,
    current: Syncers,
}

impl Durability {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a sync failed: nothing may be acknowledged any more.
    pub(super) fn failed(&self) -> bool {
        self.waiting().failed
    }

    /// Notes what has to be synced for what was written just now; nothing, mostly.
    pub(super) fn enter(&self, state: &mut State, fsync: Fsync) -> Result<Option<u64>, LogError> {
        let always = fsync == Fsync::Always;
        let ended = [&state.wal, &state.wbl].into_iter().flatten().any(Wal::has_ended);
        if !always && !ended {
            return Ok(None);
        }
        let mut waiting = self.waiting();
        waiting.current.clear();
        for log in [&mut state.wal, &mut state.wbl].into_iter().flatten() {
            waiting.ended.extend(log.take_ended());
            if always {
                waiting.current.push((log.folder().to_owned(), log.syncer()?));
            }
        }
        waiting.entered += 1;
        Ok(Some(waiting.entered))
    }

    /// Returns once the ticket's writes are durable. Whoever comes first syncs for all.
    pub(super) fn wait(&self, ticket: Option<u64>) -> Result<(), LogError> {
        let Some(ticket) = ticket else {
            return Ok(());
        };
        let mut waiting = self.waiting();
        loop {
            if waiting.failed {
                return Err(LogError::Failed);
            }
            if waiting.done >= ticket {
                return Ok(());
            }
            if waiting.running {
                waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            waiting.running = true;
            let target = waiting.entered;
            let mut syncers = std::mem::take(&mut waiting.ended);
            syncers.append(&mut waiting.current);
            drop(waiting);
            let synced = syncers
                .into_iter()
                .try_for_each(|(path, file)| file.sync().map_err(|source| LogError::Sync { path, source }));
            waiting = self.waiting();
            waiting.running = false;
            match synced {
                Ok(()) => waiting.done = waiting.done.max(target),
                Err(_) => waiting.failed = true,
            }
            self.wake.notify_all();
            synced?;
        }
    }
}
