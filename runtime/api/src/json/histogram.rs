//! Native histograms: count, sum, and a row for each bucket that is not empty.

use prom_model::{FloatHistogram, bucket_bounds};

use super::number::push_float;

/// Which bounds belong to a bucket.
const UPPER: u8 = b'0';
const LOWER: u8 = b'1';
const NEITHER: u8 = b'2';
const BOTH: u8 = b'3';

/// Writes a histogram as an object.
pub(super) fn push_histogram(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    out.extend_from_slice(b"{\"count\":");
    push_float(out, histogram.count);
    out.extend_from_slice(b",\"sum\":");
    push_float(out, histogram.sum);
    let mut rows = Rows { out, found: false };
    let custom = histogram.uses_custom_buckets();
    let threshold = histogram.zero_threshold;
    let negative: Vec<(i64, f64)> = histogram.negative().collect();
    for (index, count) in negative.into_iter().rev() {
        let Some((lower, upper)) = bucket_bounds(index, histogram.schema, &histogram.custom_values) else {
            continue;
        };
        let kind = inclusive(-upper, -lower);
        let (lower, upper) = beside_zero(-upper, -lower, threshold);
        rows.push(kind, lower, upper, count);
    }
    if !custom && histogram.zero_count > 0.0 {
        rows.push(BOTH, -threshold, threshold, histogram.zero_count);
    }
    for (index, count) in histogram.positive() {
        let Some((lower, upper)) = bucket_bounds(index, histogram.schema, &histogram.custom_values) else {
            continue;
        };
        if custom {
            rows.push(if index == 0 { BOTH } else { UPPER }, lower, upper, count);
        } else {
            let kind = inclusive(lower, upper);
            let (lower, upper) = beside_zero(lower, upper, threshold);
            rows.push(kind, lower, upper, count);
        }
    }
    let found = rows.found;
    if found {
        out.push(b']');
    }
    out.push(b'}');
}

/// The bounds of exponential buckets: the one farther from zero belongs to the bucket.
fn inclusive(lower: f64, upper: f64) -> u8 {
    match (lower < 0.0, upper > 0.0) {
        (true, true) => BOTH,
        (true, false) => LOWER,
        (false, true) => UPPER,
        (false, false) => NEITHER,
    }
}

/// A bucket that reaches into the zero bucket ends where that begins.
fn beside_zero(lower: f64, upper: f64, threshold: f64) -> (f64, f64) {
    if upper < 0.0 && upper > -threshold {
        (lower, -threshold)
    } else if lower > 0.0 && lower < threshold {
        (threshold, upper)
    } else {
        (lower, upper)
    }
}

struct Rows<'o> {
    out: &'o mut Vec<u8>,
    found: bool,
}

impl Rows<'_> {
    fn push(&mut self, kind: u8, lower: f64, upper: f64, count: f64) {
        if count == 0.0 {
            return;
        }
        self.out.extend_from_slice(if self.found { b"," } else { b",\"buckets\":[" });
        self.found = true;
        self.out.extend_from_slice(&[b'[', kind, b',']);
        push_float(self.out, lower);
        self.out.push(b',');
        push_float(self.out, upper);
        self.out.push(b',');
        push_float(self.out, count);
        self.out.push(b']');
    }
}
