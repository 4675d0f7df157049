//! The samples of one series as storage has them.

use std::sync::Arc;

use prom_model::{FloatHistogram, is_stale};

/// Float and histogram samples of one series, each sort in the order of time; no time is in both.
///
/// Made to be used again for the next series.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// Times of the floats, milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// The floats.
    pub values: Vec<f64>,
    /// When counting began, milliseconds, 0 where it is unknown; empty where it is unknown for all floats.
    pub start_timestamps: Vec<i64>,
    /// Times of the histograms.
    pub histogram_timestamps: Vec<i64>,
    /// The histograms.
    pub histograms: Vec<Arc<FloatHistogram>>,
    /// As `start_timestamps`, for the histograms.
    pub histogram_start_timestamps: Vec<i64>,
}

impl Samples {
    /// Forgets all samples, keeps the memory.
    pub fn clear(&mut self) {
        self.timestamps.clear();
        self.values.clear();
        self.start_timestamps.clear();
        self.histogram_timestamps.clear();
        self.histograms.clear();
        self.histogram_start_timestamps.clear();
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty() && self.histogram_timestamps.is_empty()
    }

    /// Appends a float. Times must rise.
    pub fn push_float(&mut self, timestamp: i64, value: f64) {
        self.timestamps.push(timestamp);
        self.values.push(value);
    }

    /// Appends a histogram. Times must rise.
    pub fn push_histogram(&mut self, timestamp: i64, histogram: Arc<FloatHistogram>) {
        self.histogram_timestamps.push(timestamp);
        self.histograms.push(histogram);
    }

    /// Removes stale markers: functions over ranges do not see them.
    pub fn remove_stale(&mut self) {
        let some = |values: &[f64]| values.iter().fold(false, |found, value| found | is_stale(*value));
        if self.values.chunks(64).any(some) {
            let keep: Vec<bool> = self.values.iter().map(|value| !is_stale(*value)).collect();
            retain(&mut self.timestamps, &keep);
            retain(&mut self.start_timestamps, &keep);
            retain(&mut self.values, &keep);
        }
        if self.histograms.iter().any(|histogram| histogram.is_stale()) {
            let keep: Vec<bool> = self.histograms.iter().map(|histogram| !histogram.is_stale()).collect();
            retain(&mut self.histogram_timestamps, &keep);
            retain(&mut self.histogram_start_timestamps, &keep);
            retain(&mut self.histograms, &keep);
        }
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let histograms: usize =
            self.histograms.iter().map(|histogram| crate::column::histogram_bytes(histogram)).sum();
        (self.timestamps.capacity() + self.values.capacity() + self.start_timestamps.capacity()) * 8
            + self.histogram_timestamps.capacity() * 16
            + histograms
    }
}

/// Keeps the items whose place says so; a list without items (start timestamps that nobody knows) stays empty.
fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(true));
}
