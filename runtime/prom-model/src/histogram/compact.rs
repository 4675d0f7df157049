//! Removing empty buckets.

use super::merge::Layout;
use super::{BucketIndexes, FloatHistogram, Span};

impl FloatHistogram {
    /// Removes empty buckets at the ends of spans, joins spans that are at most `empty_max` empty buckets apart, and divides
    /// those with more empty buckets in a row inside.
    pub fn compact(&mut self, empty_max: usize) {
        compact(&mut self.positive_spans, &mut self.positive_buckets, None, empty_max);
        compact(&mut self.negative_spans, &mut self.negative_buckets, None, empty_max);
    }

    /// Removes the buckets that are empty in the sum and in its compensation.
    pub(super) fn compact_with(&mut self, compensation: &mut FloatHistogram) {
        let lost = Some(&mut compensation.positive_buckets);
        compact(&mut self.positive_spans, &mut self.positive_buckets, lost, 0);
        let lost = Some(&mut compensation.negative_buckets);
        compact(&mut self.negative_spans, &mut self.negative_buckets, lost, 0);
        self.give_layout(compensation);
    }
}

fn compact(spans: &mut Vec<Span>, counts: &mut Vec<f64>, lost: Option<&mut Vec<f64>>, empty_max: usize) {
    let far = |span: &Span| usize::try_from(span.offset).is_ok_and(|offset| offset > empty_max);
    let is_compact =
        counts.iter().all(|count| *count != 0.0) && spans.iter().all(|span| far(span) && span.length > 0);
    if is_compact {
        return;
    }
    let old_lost: &[f64] = lost.as_deref().map_or(&[], Vec::as_slice);
    let mut layout = Layout::default();
    let (mut new_counts, mut new_lost) = (Vec::with_capacity(counts.len()), Vec::new());
    let mut last: Option<i64> = None;
    for (at, (index, count)) in BucketIndexes::new(spans).zip(counts.iter()).enumerate() {
        let lost_here = old_lost.get(at).copied().unwrap_or(0.0);
        if *count == 0.0 && lost_here == 0.0 {
            continue;
        }
        // Few empty buckets in between stay.
        if let Some(last) = last
            && (index - last - 1) as usize <= empty_max
        {
            for between in last + 1..index {
                layout.push(between);
                new_counts.push(0.0);
                new_lost.push(0.0);
            }
        }
        layout.push(index);
        new_counts.push(*count);
        new_lost.push(lost_here);
        last = Some(index);
    }
    *spans = layout.spans;
    *counts = new_counts;
    if let Some(lost) = lost {
        *lost = new_lost;
    }
}
