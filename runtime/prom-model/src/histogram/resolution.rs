//! Merging buckets to a coarser schema.

use super::{BucketIndexes, FloatHistogram, Histogram, Span};

/// A schema to which a histogram cannot be brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// Only exponential buckets nest.
    #[error("custom buckets have no coarser resolution")]
    Custom,
    /// Buckets can be merged, not divided.
    #[error("schema {to} is not coarser than schema {from}")]
    NotCoarser {
        /// The histogram's schema.
        from: i32,
        /// The schema that was asked for.
        to: i32,
    },
}

impl Histogram {
    /// Merges the buckets to a coarser schema.
    ///
    /// # Errors
    /// [`ResolutionError`]; the histogram stays as it was.
    pub fn reduce_resolution(&mut self, schema: i32) -> Result<(), ResolutionError> {
        let shift = shift(self.schema, schema)?;
        let positive = merge(self.positive(), shift, i64::wrapping_add);
        let negative = merge(self.negative(), shift, i64::wrapping_add);
        (self.positive_spans, self.positive_buckets) = (positive.0, deltas(positive.1));
        (self.negative_spans, self.negative_buckets) = (negative.0, deltas(negative.1));
        self.schema = schema;
        Ok(())
    }
}

impl FloatHistogram {
    /// Merges the buckets to a coarser schema.
    ///
    /// # Errors
    /// [`ResolutionError`]; the histogram stays as it was.
    pub fn reduce_resolution(&mut self, schema: i32) -> Result<(), ResolutionError> {
        let shift = shift(self.schema, schema)?;
        let positive = merge(self.positive(), shift, |left, right| left + right);
        let negative = merge(self.negative(), shift, |left, right| left + right);
        (self.positive_spans, self.positive_buckets) = positive;
        (self.negative_spans, self.negative_buckets) = negative;
        self.schema = schema;
        Ok(())
    }
}

fn shift(from: i32, to: i32) -> Result<u32, ResolutionError> {
    if from == super::CUSTOM_BUCKETS_SCHEMA || to == super::CUSTOM_BUCKETS_SCHEMA {
        return Err(ResolutionError::Custom);
    }
    match from.checked_sub(to) {
        Some(shift @ 1..) => Ok((shift as u32).min(62)),
        _ => Err(ResolutionError::NotCoarser { from, to }),
    }
}

fn merge<N: Copy>(
    buckets: impl Iterator<Item = (i64, N)>,
    shift: u32,
    add: impl Fn(N, N) -> N,
) -> (Vec<Span>, Vec<N>) {
    let (mut spans, mut counts) = (Vec::<Span>::new(), Vec::<N>::new());
    let mut last = 0i64;
    for (index, count) in buckets {
        // The bucket above: indexes count from the upper bound.
        let index = (index.saturating_sub(1) >> shift) + 1;
        match (spans.last_mut(), counts.last_mut()) {
            (Some(_), Some(into)) if index == last => *into = add(*into, count),
            (Some(span), _) if index == last + 1 => {
                span.length += 1;
                counts.push(count);
            }
            (before, _) => {
                let offset = if before.is_none() { index } else { index - last - 1 };
                spans.push(Span { offset: offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32, length: 1 });
                counts.push(count);
            }
        }
        last = index;
    }
    debug_assert_eq!(BucketIndexes::new(&spans).count(), counts.len());
    (spans, counts)
}

fn deltas(counts: Vec<i64>) -> Vec<i64> {
    let differences = counts.iter().scan(0i64, |before, count| {
        let delta = count.wrapping_sub(*before);
        *before = *count;
        Some(delta)
    });
    differences.collect()
}
