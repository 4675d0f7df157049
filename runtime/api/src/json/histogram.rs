//! Native histograms: count, sum, and a row for each bucket that is not empty.

use prom_model::{Bucket, FloatHistogram};

use super::number::push_float;

/// Writes a histogram as an object.
pub(super) fn push_histogram(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    out.extend_from_slice(b"{\"count\":");
    push_float(out, histogram.count);
    out.extend_from_slice(b",\"sum\":");
    push_float(out, histogram.sum);
    let mut found = false;
    for bucket in histogram.all_buckets().filter(|bucket| bucket.count != 0.0) {
        out.extend_from_slice(if found { b"," } else { b",\"buckets\":[" });
        found = true;
        out.extend_from_slice(&[b'[', inclusive(&bucket), b',']);
        push_float(out, bucket.lower);
        out.push(b',');
        push_float(out, bucket.upper);
        out.push(b',');
        push_float(out, bucket.count);
        out.push(b']');
    }
    if found {
        out.push(b']');
    }
    out.push(b'}');
}

/// Which bounds belong to a bucket.
fn inclusive(bucket: &Bucket) -> u8 {
    match (bucket.lower_inclusive, bucket.upper_inclusive) {
        (false, true) => b'0',
        (true, false) => b'1',
        (false, false) => b'2',
        (true, true) => b'3',
    }
}
