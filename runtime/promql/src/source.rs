//! The only door to storage.

use std::error::Error;

use error_kind::ErrorKind;
use prom_model::Matcher;

use crate::{Pauses, Samples, Symbol, Symbols};

/// Which labels of the selected series the query looks at. A source may give more than these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Projection {
    /// All of them.
    #[default]
    All,
    /// None but these, sorted.
    Only(Vec<String>),
    /// All but these, sorted.
    Without(Vec<String>),
}

impl Projection {
    /// Whether a label is looked at.
    pub fn keeps(&self, name: &str) -> bool {
        let listed = |names: &[String]| names.binary_search_by(|known| known.as_str().cmp(name)).is_ok();
        match self {
            Projection::All => true,
            Projection::Only(names) => listed(names),
            Projection::Without(names) => !listed(names),
        }
    }
}

/// What a selector wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// Conditions on the labels.
    pub matchers: Vec<Matcher>,
    /// The earliest sample that matters, milliseconds since the epoch, included.
    pub min_time: i64,
    /// The latest sample that matters, included.
    pub max_time: i64,
    /// The first and the last time of all selectors of the query. A hint for sources that choose between replicas: their
    /// choice is the same for all selectors.
    pub query_times: (i64, i64),
    /// The labels that matter.
    pub projection: Projection,
    /// The query's step, milliseconds; 0 for an instant query. A hint for sources that downsample.
    pub step: i64,
    /// The length of the range, milliseconds; 0 for an instant selector. A hint.
    pub range: i64,
    /// The function around the selector, empty if there is none. A hint.
    pub function: &'static str,
    /// Whether `count` and `sum` of native histograms are enough. A hint: a source that leaves buckets out sets the counter
    /// reset hints that they tell.
    pub histogram_stats_only: bool,
    /// Whether the samples do not matter at all, only which series there are.
    pub series_only: bool,
    /// Where storage may pause so that other queries have their turn.
    pub pauses: Pauses,
}

/// Storage failed.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct SourceError {
    cause: Box<dyn Error + Send + Sync>,
    kind: ErrorKind,
}

impl SourceError {
    /// A failure with its cause and what kind of failure it is.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>, kind: ErrorKind) -> Self {
        SourceError { cause: cause.into(), kind }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// Storage, as the engine sees it.
pub trait SeriesSource: Send + Sync {
    /// Finds the series that satisfy the matchers and have samples in the time range; nothing of them is read yet.
    fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>, SourceError>;
}

/// Found series, in Prometheus' order of label sets (see `LabelSet::compare`), each label set once.
pub trait SeriesSet: Send {
    /// Reads labels and chunk references of at most `most` further series. `None` at the end.
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError>;

    /// Bytes that are held from batch to batch, about: lists of series that were found.
    fn bytes(&self) -> usize {
        0
    }

    /// What went wrong on the way without making the answer useless, in words; asked after the last batch.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Some series, whose samples can be read on several threads at once.
pub trait SeriesBatch: Send + Sync {
    /// How many series there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held, about: labels, and where the samples lie.
    fn bytes(&self) -> usize {
        0
    }

    /// The labels of a series, sorted by the text of their names, no value empty.
    fn labels(&self, at: usize) -> &[(Symbol, Symbol)];

    /// A reader with memory of its own; one per thread.
    fn reader(&self) -> Box<dyn SampleReader + '_>;
}

/// Reads the samples of the series of a batch.
pub trait SampleReader {
    /// Puts the samples of a series into `into`, which is empty: all between the times of the [`Select`], stale markers
    /// too, maybe a few from outside.
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError>;
}
