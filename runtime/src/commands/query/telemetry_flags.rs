//! `--query.telemetry.*`: bounds of the histograms of queries.

use api::thanos::Buckets;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct TelemetryFlags {
    /// Bounds of the time that queries take, seconds (repeated)
    #[arg(
        long = "query.telemetry.request-duration-seconds-quantiles", id = "query.telemetry.request-duration-seconds-quantiles",
        value_name = "SECONDS",
        default_values_t = [0.1, 0.25, 0.75, 1.25, 1.75, 2.5, 3.0, 5.0, 10.0]
    )]
    seconds: Vec<f64>,
    /// Bounds of the samples that queries read (repeated)
    #[arg(
        long = "query.telemetry.request-samples-quantiles", id = "query.telemetry.request-samples-quantiles",
        value_name = "COUNT",
        default_values_t = [100.0, 1000.0, 10_000.0, 100_000.0, 1_000_000.0]
    )]
    samples: Vec<f64>,
    /// Bounds of the series that queries read (repeated)
    #[arg(
        long = "query.telemetry.request-series-seconds-quantiles", id = "query.telemetry.request-series-seconds-quantiles",
        value_name = "COUNT",
        default_values_t = [10.0, 100.0, 1000.0, 10_000.0, 100_000.0]
    )]
    series: Vec<f64>,
}

impl TelemetryFlags {
    pub(super) fn buckets(&self) -> Buckets {
        Buckets { seconds: self.seconds.clone(), samples: self.samples.clone(), series: self.series.clone() }
    }
}
