//! What the records of the logs do to a head that is being opened.

use prom_model::is_stale;

use crate::corruption::Fault;
use crate::encoding::At;
use crate::wal::record::{
    self, ChunkMark, RecordType, RefExemplar, RefFloatHistogram, RefHistogram, RefMetadata, RefSample,
    RefSeries, SeriesRef, Tombstone,
};

use super::{Attached, PENDING_MAX, PENDING_MIN, Replayer};
use crate::head::append::check_labels;
use crate::head::exemplars::Exemplar;
use crate::head::out_of_order::Value;
use crate::head::postings::Slot;
use crate::head::state::State;

impl Replayer<'_> {
    pub(super) fn record(&mut self, bytes: &[u8], out_of_order: bool) -> Result<(), At> {
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

    pub(super) fn apply_pending(&mut self) {
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
