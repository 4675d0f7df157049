//! Where the work of a query went, operator by operator.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Tells how much time has passed since any fixed moment; it never goes back.
///
/// The engine reads no clock of its own; whoever wants a run to be analysed passes one in.
#[derive(Clone)]
pub struct Stopwatch(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Stopwatch {
    /// A stopwatch that is read with `read`.
    pub fn new(read: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Stopwatch(Arc::new(read))
    }

    /// The time that has passed.
    pub(crate) fn read(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopwatch")
    }
}

/// What one node of a plan did in one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeStats {
    /// How deep the node lies below the outermost one.
    pub depth: usize,
    /// The node in words, as in [`Prepared::explain`](crate::Prepared::explain).
    pub operator: String,
    /// Series that it gave; 0 for scalars.
    pub series: u64,
    /// Values that it gave, over all series and steps.
    pub samples: u64,
    /// Time spent in it and in the nodes below it.
    pub time: Duration,
    /// The most bytes that it held itself.
    pub bytes_peak: u64,
}
