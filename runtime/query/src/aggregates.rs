//! Which aggregates of downsampled series answer a function, and what is read where there are several.

use tsdb::chunk::Encoding;

/// What a chunk of a series holds of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// The samples themselves.
    Raw,
    /// How many samples of a window there were.
    Count,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The value of the counter at the end of the window, without resets.
    Counter,
}

/// What a query reads of series that may be downsampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// How many samples there were.
    Count,
    /// Their sums.
    Sum,
    /// The smallest of them.
    Min,
    /// The largest of them.
    Max,
    /// Counters, free of resets.
    Counter,
    /// Sums over counts.
    Average,
}

/// One encoded column of samples, as it lies in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded<'c> {
    /// How it is compressed; `None` where nobody knows the number that stood there.
    pub encoding: Option<Encoding>,
    /// The bytes behind the encoding.
    pub data: &'c [u8],
}

/// What is read of one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'c> {
    /// The time of the first sample, milliseconds since the epoch.
    pub min_time: i64,
    /// The time of the last sample.
    pub max_time: i64,
    /// Whether the samples are as they were scraped, not downsampled.
    pub is_raw: bool,
    /// The samples.
    pub content: Content<'c>,
}

/// The samples of one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'c> {
    /// As they stand.
    Column(Encoded<'c>),
    /// Each sum divided by its count.
    Average {
        /// How many samples each window had.
        count: Encoded<'c>,
        /// Their sums: floats or histograms.
        sum: Encoded<'c>,
    },
    /// None of the aggregates that are wanted; reading it is an error.
    Absent,
}

impl Wanted {
    /// What the function around a selector wants, as Thanos decides it.
    ///
    /// `sum` itself wants the samples and so averages; `count` counts series, of which each aggregate has the same.
    pub fn by(function: &str) -> Self {
        match function {
            "increase" | "rate" | "irate" | "resets" | "xincrease" | "xrate" => Wanted::Counter,
            _ if function == "min" || function.starts_with("min_") => Wanted::Min,
            _ if function == "max" || function.starts_with("max_") => Wanted::Max,
            _ if function == "count" || function.starts_with("count_") => Wanted::Count,
            _ if function.starts_with("sum_") => Wanted::Sum,
            _ => Wanted::Average,
        }
    }

    /// The aggregates to ask for.
    pub const fn aggregates(self) -> &'static [Aggregate] {
        match self {
            Wanted::Count => &[Aggregate::Count],
            Wanted::Sum => &[Aggregate::Sum],
            Wanted::Min => &[Aggregate::Min],
            Wanted::Max => &[Aggregate::Max],
            Wanted::Counter => &[Aggregate::Counter],
            Wanted::Average => &[Aggregate::Count, Aggregate::Sum],
        }
    }

    /// What is read of a chunk whose parts `find` knows: the samples themselves wherever they are.
    pub fn choose<'c>(self, find: impl Fn(Aggregate) -> Option<Encoded<'c>>) -> Content<'c> {
        let column = |aggregate| find(aggregate).or_else(|| find(Aggregate::Raw));
        let column = match self {
            Wanted::Count => column(Aggregate::Count),
            Wanted::Sum => column(Aggregate::Sum),
            Wanted::Min => column(Aggregate::Min),
            Wanted::Max => column(Aggregate::Max),
            Wanted::Counter => column(Aggregate::Counter),
            Wanted::Average => {
                if let Some(raw) = find(Aggregate::Raw) {
                    return Content::Column(raw);
                }
                return match (find(Aggregate::Count), find(Aggregate::Sum)) {
                    (Some(count), Some(sum)) => Content::Average { count, sum },
                    _ => Content::Absent,
                };
            }
        };
        column.map_or(Content::Absent, Content::Column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_read_the_aggregate_that_answers_them() {
        for (function, wanted) in [
            ("min", Wanted::Min),
            ("min_over_time", Wanted::Min),
            ("max_over_time", Wanted::Max),
            ("count", Wanted::Count),
            ("count_values", Wanted::Count),
            ("sum", Wanted::Average),
            ("sum_over_time", Wanted::Sum),
            ("rate", Wanted::Counter),
            ("resets", Wanted::Counter),
            ("delta", Wanted::Average),
            ("", Wanted::Average),
        ] {
            assert_eq!(Wanted::by(function), wanted, "{function}");
        }
    }

    #[test]
    fn raw_samples_stand_in_for_every_aggregate() {
        let raw = Encoded { encoding: Some(Encoding::Xor), data: b"raw" };
        let find = |aggregate| (aggregate == Aggregate::Raw).then_some(raw);
        for wanted in [Wanted::Count, Wanted::Counter, Wanted::Average] {
            assert_eq!(wanted.choose(find), Content::Column(raw));
        }
        assert_eq!(Wanted::Sum.choose(|_| None), Content::Absent);
        let half = |aggregate| (aggregate == Aggregate::Sum).then_some(raw);
        assert_eq!(Wanted::Average.choose(half), Content::Absent);
    }
}
