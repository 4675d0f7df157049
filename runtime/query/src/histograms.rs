//! Chunks of histograms to the samples that the engine knows.

use prom_model::FloatHistogram;
use tsdb::chunk::{ChunkError, Encoding, HistogramColumns, Order, decode_float_histograms};

/// The finest schema of histograms that queries know.
const SCHEMA_MAX: i32 = 8;

/// Hands the wanted histograms of a chunk on, in their order: time, when counting began where the chunk says so, histogram.
pub(crate) fn each_histogram(
    encoding: Encoding,
    data: &[u8],
    order: Order,
    columns: &mut HistogramColumns<f64>,
    wanted: impl Fn(i64) -> bool,
    mut take: impl FnMut(i64, Option<i64>, FloatHistogram),
) -> Result<(), ChunkError> {
    decode_float_histograms(encoding, data, order, columns)?;
    for position in 0..columns.len() {
        let Some(time) = columns.timestamps.get(position).copied() else { break };
        if !wanted(time) {
            continue;
        }
        let Some((_, mut histogram)) = columns.get(position) else { break };
        if histogram.schema > SCHEMA_MAX {
            // A schema above that is not custom: its buckets nest.
            let _ = histogram.reduce_resolution(SCHEMA_MAX);
        }
        take(time, columns.start_timestamps.get(position).copied(), histogram);
    }
    Ok(())
}
