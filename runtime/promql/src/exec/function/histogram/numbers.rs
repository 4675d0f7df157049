//! One number of each native histogram: `histogram_count`, `_sum`, `_avg`, `_stddev`, `_stdvar`. Floats are left out.

use prom_model::{FloatHistogram, neumaier_add};

use super::native;
use crate::exec::{Operator, Run};
use crate::{QueryError, Row, Symbol};

/// What is taken of a histogram.
pub(crate) type Take = fn(&FloatHistogram) -> f64;

/// The number that a function takes.
pub(crate) fn number(name: &str) -> Option<Take> {
    Some(match name {
        "histogram_count" => |histogram| histogram.count,
        "histogram_sum" => |histogram| histogram.sum,
        "histogram_avg" => |histogram| histogram.sum / histogram.count,
        "histogram_stdvar" => variance,
        "histogram_stddev" => |histogram| variance(histogram).sqrt(),
        _ => return None,
    })
}

/// The variance, as if all observations of a bucket lay in its middle: the arithmetic one of custom buckets, the geometric
/// one of exponential ones, 0 in the zero bucket.
fn variance(histogram: &FloatHistogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let (mut sum, mut compensation) = (0.0, 0.0);
    for (place, count) in native::rising(histogram).filter(|(_, count)| *count != 0.0) {
        let (lower, upper) = place.bounds(histogram);
        let middle = if histogram.uses_custom_buckets() {
            (upper + lower) / 2.0
        } else if lower <= 0.0 && upper >= 0.0 {
            0.0
        } else {
            let middle = (upper * lower).sqrt();
            if upper < 0.0 { -middle } else { middle }
        };
        let delta = middle - mean;
        (sum, compensation) = neumaier_add(count * delta * delta, sum, compensation);
    }
    (sum + compensation) / histogram.count
}

/// Makes floats of the histograms of each row.
pub(crate) struct Number {
    input: Box<dyn Operator>,
    take: Take,
}

impl Number {
    pub(crate) fn new(input: Box<dyn Operator>, take: Take) -> Self {
        Number { input, take }
    }
}

impl Operator for Number {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        while self.input.next(run, row)? {
            if !row.column.has_histograms() {
                continue;
            }
            native::to_floats(&mut row.column, |_, histogram| Some((self.take)(histogram)));
            row.drop_name = true;
            if !run.options.delayed_name_removal {
                // Here Prometheus leaves type and unit.
                row.labels.remove(Symbol::METRIC_NAME);
            }
            return Ok(true);
        }
        Ok(false)
    }
}
