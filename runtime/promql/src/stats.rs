//! How much work a query was, counted as Prometheus counts it.

/// Samples touched at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSamples {
    /// Milliseconds since the epoch.
    pub time: i64,
    /// Samples touched; a histogram counts as several, by its size.
    pub samples: u64,
}

/// Counts of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryStats {
    /// Samples touched in all, once per step that touches them (`totalQueryableSamples`).
    pub samples_total: u64,
    /// The same, per step (`totalQueryableSamplesPerStep`); empty unless asked for.
    pub samples_per_step: Vec<StepSamples>,
    /// The most samples in flight at once (`peakSamples`).
    pub samples_peak: u64,
    /// Series read from storage.
    pub series: u64,
    /// The most bytes held at once.
    pub bytes_peak: u64,
}
