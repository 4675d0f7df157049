//! Builds a batch of samples and commits it: all of it is acknowledged, or none.

use std::sync::RwLockWriteGuard;

use prom_model::{FloatHistogram, Histogram, HistogramError, is_stale};

use crate::chunk::{Encoding, HistogramColumns, Order, decode_float_histograms, decode_histograms};
use crate::wal::LogError;
use crate::wal::record::{MetricType, RefFloatHistogram, RefHistogram, RefSample, SeriesRef};

use super::Head;
use super::exemplars::Exemplar;
use super::out_of_order::Value;
use super::postings::Slot;
use super::series::{Kind, Open};
use super::state::State;

/// A sample, series or exemplar that the head does not take. The others of the batch are not touched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// No series has this reference; append by labels instead.
    #[error("series {} is not in the head", .0.0)]
    UnknownSeries(SeriesRef),
    /// Older than the newest sample of its series, and there is no out-of-order window.
    #[error("out of order sample: {timestamp} is not after {newest}")]
    OutOfOrder {
        /// The sample's time.
        timestamp: i64,
        /// The time of the newest sample of the series.
        newest: i64,
    },
    /// Older than everything that the head takes, and there is no out-of-order window.
    #[error("out of bounds: {timestamp} is before {min_valid_time}")]
    OutOfBounds {
        /// The sample's time.
        timestamp: i64,
        /// The oldest time that is taken.
        min_valid_time: i64,
    },
    /// Older than the out-of-order window.
    #[error("too old sample: {timestamp} is before {min_valid_time}")]
    TooOld {
        /// The sample's time.
        timestamp: i64,
        /// The oldest time that is taken.
        min_valid_time: i64,
    },
    /// The series has a sample of this time with another value.
    #[error("duplicate sample for timestamp {timestamp}")]
    Duplicate {
        /// The time of both.
        timestamp: i64,
    },
    /// Not the labels of a series: none at all, unsorted, a name that is empty or there twice.
    #[error("invalid labels: {0}")]
    Labels(&'static str),
    /// A histogram that contradicts itself.
    #[error("invalid histogram")]
    Histogram(#[from] HistogramError),
    /// An exemplar that is older than the newest of its series.
    #[error("out of order exemplar: {timestamp}")]
    ExemplarOutOfOrder {
        /// The exemplar's time.
        timestamp: i64,
    },
    /// An exemplar with more than 128 characters of labels.
    #[error("exemplar labels longer than 128 characters")]
    ExemplarLabels,
    /// There are four thousand million series or label values.
    #[error("no number is left for another series")]
    TooManySeries,
}

impl error_kind::Kind for AppendError {
    fn kind(&self) -> error_kind::ErrorKind {
        match self {
            AppendError::UnknownSeries(_) => error_kind::ErrorKind::NotFound,
            AppendError::TooManySeries => error_kind::ErrorKind::ResourceExhausted,
            _ => error_kind::ErrorKind::InvalidArgument,
        }
    }
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// In-order samples.
    pub samples: u64,
    /// Out-of-order samples.
    pub out_of_order: u64,
    /// Exemplars.
    pub exemplars: u64,
}

enum Lane {
    InOrder,
    OutOfOrder,
    /// The sample is there already.
    Known,
}

/// A batch that is being built. It has the head for itself: readers and other batches wait until it is committed or dropped, so
/// collect the samples first. Dropped, it leaves no sample behind.
#[derive(Debug)]
pub struct Appender<'a> {
    head: &'a Head,
    pub(super) state: RwLockWriteGuard<'a, State>,
    /// In-order samples before this time are not taken.
    min_valid_time: i64,
}

impl<'a> Appender<'a> {
    pub(super) fn new(head: &'a Head, mut state: RwLockWriteGuard<'a, State>) -> Self {
        state.staged.clear();
        state.group = state.group.wrapping_add(1);
        let newest = state.max_time.saturating_sub(head.options.chunk_range_ms / 2);
        let min_valid_time = state.min_valid_time.max(newest);
        Appender { head, state, min_valid_time }
    }

    /// The series with these labels, sorted by name; it is made if it is not there. Labels with empty values count as absent.
    ///
    /// # Errors
    /// [`AppendError::Labels`], [`AppendError::TooManySeries`].
    pub fn series(&mut self, labels: &[(&str, &str)]) -> Result<SeriesRef, AppendError> {
        let kept;
        let labels = if labels.iter().any(|(_, value)| value.is_empty()) {
            kept = labels.iter().copied().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>();
            kept.as_slice()
        } else {
            labels
        };
        check_labels(labels)?;
        let slot = match self.state.find(labels) {
            Some(slot) => slot,
            None => {
                let next = self.state.last_ref.checked_add(1).ok_or(AppendError::TooManySeries)?;
                let slot = self.state.create(labels, SeriesRef(next))?;
                self.state.unlogged.push(slot);
                slot
            }
        };
        self.state.series(slot).map(|series| series.reference).ok_or(AppendError::TooManySeries)
    }

    /// Adds a float sample. One that is there already, to the bit, is no error and changes nothing.
    ///
    /// # Errors
    /// [`AppendError`]; the batch is as before.
    #[inline]
    pub fn append(&mut self, series: SeriesRef, timestamp: i64, value: f64) -> Result<(), AppendError> {
        let slot = self.slot(series)?;
        let bits = value.to_bits();
        let same = |state: &State| {
            state
                .series(slot)
                .is_some_and(|series| series.last_kind == Kind::Float && series.last_bits == bits)
        };
        match self.lane(slot, timestamp, same)? {
            Lane::Known => {}
            Lane::OutOfOrder => self.state.staged.out_of_order.push((slot, timestamp, Value::Float(bits))),
            Lane::InOrder => {
                let sample = RefSample { series, start: 0, timestamp, value };
                self.state.group_for(slot, Kind::Float).floats.push((slot, sample));
                self.stage(slot, timestamp, Kind::Float, bits);
            }
        }
        Ok(())
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// As [`Appender::append`], and [`AppendError::Histogram`].
    pub fn append_histogram(
        &mut self,
        series: SeriesRef,
        timestamp: i64,
        histogram: &Histogram,
    ) -> Result<(), AppendError> {
        if !is_stale(histogram.sum) {
            histogram.validate()?;
        }
        let slot = self.slot(series)?;
        match self.lane(slot, timestamp, |state| last_histogram(state, slot).as_ref() == Some(histogram))? {
            Lane::Known => {}
            Lane::OutOfOrder => {
                let value = Value::Histogram(Box::new(histogram.clone()));
                self.state.staged.out_of_order.push((slot, timestamp, value));
            }
            Lane::InOrder => {
                let sample = RefHistogram { series, start: 0, timestamp, histogram: histogram.clone() };
                self.state.group_for(slot, Kind::Histogram).histograms.push((slot, sample));
                self.stage(slot, timestamp, Kind::Histogram, 0);
            }
        }
        Ok(())
    }

    /// Adds a float histogram.
    ///
    /// # Errors
    /// As [`Appender::append_histogram`].
    pub fn append_float_histogram(
        &mut self,
        series: SeriesRef,
        timestamp: i64,
        histogram: &FloatHistogram,
    ) -> Result<(), AppendError> {
        if !is_stale(histogram.sum) {
            histogram.validate()?;
        }
        let slot = self.slot(series)?;
        let same = |state: &State| last_float_histogram(state, slot).as_ref() == Some(histogram);
        match self.lane(slot, timestamp, same)? {
            Lane::Known => {}
            Lane::OutOfOrder => {
                let value = Value::FloatHistogram(Box::new(histogram.clone()));
                self.state.staged.out_of_order.push((slot, timestamp, value));
            }
            Lane::InOrder => {
                let sample = RefFloatHistogram { series, start: 0, timestamp, histogram: histogram.clone() };
                self.state.group_for(slot, Kind::FloatHistogram).float_histograms.push((slot, sample));
                self.stage(slot, timestamp, Kind::FloatHistogram, 0);
            }
        }
        Ok(())
    }

    /// Adds an exemplar; does nothing where the head keeps none, or has it already.
    ///
    /// # Errors
    /// [`AppendError::UnknownSeries`], [`AppendError::ExemplarOutOfOrder`], [`AppendError::ExemplarLabels`].
    pub fn append_exemplar(
        &mut self,
        series: SeriesRef,
        timestamp: i64,
        value: f64,
        labels: &[(&str, &str)],
    ) -> Result<(), AppendError> {
        self.slot(series)?;
        if self.state.exemplars.capacity() == 0 {
            return Ok(());
        }
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let exemplar = Exemplar { series, timestamp, value, labels };
        let staged = self.state.staged.exemplars.iter().rev().find(|other| other.series == series);
        if self.state.exemplars.check(&exemplar, staged)? {
            self.state.staged.exemplars.push(exemplar);
        }
        Ok(())
    }

    /// Sets what is known about the metric of a series; logged only where that is new.
    ///
    /// # Errors
    /// [`AppendError::UnknownSeries`].
    pub fn set_metadata(
        &mut self,
        series: SeriesRef,
        kind: MetricType,
        unit: &str,
        help: &str,
    ) -> Result<(), AppendError> {
        let slot = self.slot(series)?;
        if let Some(series) = self.state.series_mut(slot) {
            let known = series.extra.as_ref().and_then(|extra| extra.metadata.as_ref());
            if known.is_none_or(|known| (known.0, &*known.1, &*known.2) != (kind, unit, help)) {
                series.extra().metadata = Some((kind, unit.into(), help.into()));
                self.state.staged.metadata.push(slot);
            }
        }
        Ok(())
    }

    /// Writes the batch to the log and makes it visible. With [`super::Fsync::Always`] it returns when the batch would survive a
    /// loss of power, else when it would survive the death of this process.
    ///
    /// # Errors
    /// [`LogError`]: nothing of the batch is acknowledged. If the error is one of syncing, the samples can be read all the same
    /// until the head is opened again, and the head takes no others.
    pub fn commit(mut self) -> Result<Committed, LogError> {
        let head = self.head;
        let durable = super::commit::commit(head, &mut self.state)?;
        drop(self);
        let (committed, ticket) = durable;
        head.durability.wait(ticket)?;
        Ok(committed)
    }

    fn slot(&self, series: SeriesRef) -> Result<Slot, AppendError> {
        self.state.slot(series).ok_or(AppendError::UnknownSeries(series))
    }

    fn stage(&mut self, slot: Slot, timestamp: i64, kind: Kind, bits: u64) {
        if let Some(series) = self.state.series_mut(slot) {
            (series.last_time, series.last_kind, series.last_bits) = (timestamp, kind, bits);
        }
    }

    /// Where a sample goes, by Prometheus' rules.
    fn lane(&self, slot: Slot, timestamp: i64, same: impl Fn(&State) -> bool) -> Result<Lane, AppendError> {
        let newest = self.state.series(slot).map_or(i64::MIN, |series| series.last_time);
        if timestamp >= self.min_valid_time {
            if timestamp > newest || newest == i64::MIN {
                return Ok(Lane::InOrder);
            }
            if timestamp == newest {
                // The value of a sample in a chunk on disk is not looked up.
                let on_disk = self.state.series(slot).is_some_and(|series| series.open.is_none());
                let known = on_disk && self.state.staged_is_empty() || same(&self.state);
                return if known { Ok(Lane::Known) } else { Err(AppendError::Duplicate { timestamp }) };
            }
        }
        let window = self.head.options.out_of_order_window_ms;
        if window > 0 {
            let min_valid_time = self.state.max_time.saturating_sub(window);
            if timestamp >= min_valid_time {
                return Ok(Lane::OutOfOrder);
            }
            return Err(AppendError::TooOld { timestamp, min_valid_time });
        }
        if timestamp < self.min_valid_time {
            return Err(AppendError::OutOfBounds { timestamp, min_valid_time: self.min_valid_time });
        }
        Err(AppendError::OutOfOrder { timestamp, newest })
    }
}

impl Drop for Appender<'_> {
    /// Takes back what was not committed.
    fn drop(&mut self) {
        super::commit::roll_back(&mut self.state);
    }
}

pub(super) fn check_labels(labels: &[(&str, &str)]) -> Result<(), AppendError> {
    if labels.is_empty() {
        return Err(AppendError::Labels("there are none"));
    }
    if labels.first().is_some_and(|(name, _)| name.is_empty()) {
        return Err(AppendError::Labels("a name is empty"));
    }
    for pair in labels.windows(2) {
        if let [(left, _), (right, _)] = pair
            && left >= right
        {
            return Err(AppendError::Labels(if left == right {
                "a name is there twice"
            } else {
                "not sorted"
            }));
        }
    }
    Ok(())
}

/// The newest histogram of a series, that of the batch under way included.
fn last_histogram(state: &State, slot: Slot) -> Option<Histogram> {
    let staged = state.staged.groups.iter().chain([&state.staged.current]).rev();
    let mut of_series =
        staged.flat_map(|group| group.histograms.iter().rev()).filter(|(other, _)| *other == slot);
    if let Some((_, sample)) = of_series.next() {
        return Some(sample.histogram.clone());
    }
    let Open::Histogram(chunk) = &state.series(slot)?.open else {
        return None;
    };
    let mut columns = HistogramColumns::default();
    decode_histograms(Encoding::Histogram, chunk.bytes(), Order::Any, &mut columns).ok()?;
    columns.get(columns.len().checked_sub(1)?).map(|(_, histogram)| histogram)
}

/// As [`last_histogram`].
fn last_float_histogram(state: &State, slot: Slot) -> Option<FloatHistogram> {
    let staged = state.staged.groups.iter().chain([&state.staged.current]).rev();
    let mut of_series =
        staged.flat_map(|group| group.float_histograms.iter().rev()).filter(|(other, _)| *other == slot);
    if let Some((_, sample)) = of_series.next() {
        return Some(sample.histogram.clone());
    }
    let Open::FloatHistogram(chunk) = &state.series(slot)?.open else {
        return None;
    };
    let mut columns = HistogramColumns::default();
    decode_float_histograms(Encoding::FloatHistogram, chunk.bytes(), Order::Any, &mut columns).ok()?;
    columns.get(columns.len().checked_sub(1)?).map(|(_, histogram)| histogram)
}
