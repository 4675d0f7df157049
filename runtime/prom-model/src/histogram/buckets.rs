//! Which buckets a histogram has: spans, and the indexes that they stand for.

/// A run of neighbouring buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Buckets left out between the run before and this one; of the first run, the index of its first bucket.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// How many buckets the spans have in all.
pub fn bucket_count(spans: &[Span]) -> u64 {
    spans.iter().map(|span| u64::from(span.length)).sum()
}

/// Walks over the bucket indexes of spans, rising.
#[derive(Debug, Clone)]
pub struct BucketIndexes<'a> {
    spans: std::slice::Iter<'a, Span>,
    left: u32,
    next: i64,
}

impl<'a> BucketIndexes<'a> {
    /// Starts at the first bucket.
    pub fn new(spans: &'a [Span]) -> Self {
        BucketIndexes { spans: spans.iter(), left: 0, next: 0 }
    }
}

impl Iterator for BucketIndexes<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        while self.left == 0 {
            let span = self.spans.next()?;
            self.next = self.next.saturating_add(i64::from(span.offset));
            self.left = span.length;
        }
        self.left -= 1;
        let index = self.next;
        self.next = self.next.saturating_add(1);
        Some(index)
    }
}
