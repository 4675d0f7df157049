//! Series in the order of the labels with which they go out, from series in the order of the labels with which Prometheus has
//! them, holding as few as possible.
//!
//! Call *own* the labels that a series has inside Prometheus; it sends series sorted by them. Going out, a series has external
//! labels more, and where own labels bear the names of external or replica labels, those are replaced or gone.
//!
//! Where no own label bears such a name, two series can change places in one case only: the own labels of one are a beginning
//! of the other's, and an external label comes behind them. `{a="1"}` stands before `{a="1", b="2"}`, but with `z="x"` in both
//! it is `{a="1", b="2", z="x"}` that comes first. So a series waits while what follows begins with it: never more than one
//! series for each label.
//!
//! Where own labels bear names of external labels, let `first` be the least of them. Labels below `first` go out as they are,
//! so only series that agree in all of those can change places: they wait until the next one differs, and are sorted. Where own
//! labels bear names that go out altogether, any two series can change places, and all wait: `first` is empty.

use bytes::Bytes;
use storeapi::{LabelBytes, Series};

use super::relabel::Relabel;

/// Series arrived in an order that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Prometheus sent series out of order: {later:?} after {earlier:?}")]
pub(super) struct OutOfOrder {
    earlier: LabelBytes,
    later: LabelBytes,
}

/// A series that waits, and how many of its labels it shares with all that may yet come before it.
#[derive(Debug)]
struct Waiting {
    kept: usize,
    series: Series,
}

/// Puts series in order; see the head of this file.
#[derive(Debug)]
pub(super) struct Reorder {
    relabel: Relabel,
    /// From which name on own labels are not what goes out; `None` when all of them are.
    first: Option<Bytes>,
    /// In the order of arrival; `kept` never falls.
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    /// The labels of the last one that was put in.
    arrived: LabelBytes,
    /// The labels of the last one that went out.
    last: Option<LabelBytes>,
}

impl Reorder {
    pub(super) fn new(relabel: Relabel, first: Option<Bytes>) -> Self {
        Reorder {
            relabel,
            first,
            waiting: Vec::new(),
            waiting_bytes: 0,
            arrived: LabelBytes::default(),
            last: None,
        }
    }

    /// How many bytes wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Takes the next series, with the labels with which it goes out, and gives those that need not wait any more.
    pub(super) fn push(&mut self, series: Series, out: &mut Vec<Series>) -> Result<(), OutOfOrder> {
        if self.waiting.is_empty() && self.goes_at_once(&series) {
            return self.emit(series, out);
        }
        let (shared, kept) = self.shared(&series.labels);
        let stays = self.waiting.partition_point(|waiting| waiting.kept <= shared);
        if stays < self.waiting.len() {
            self.release(stays, out)?;
        }
        self.arrived = series.labels.clone();
        let at_once = self.goes_at_once(&series);
        self.waiting_bytes += size(&series);
        self.waiting.push(Waiting { kept, series });
        if at_once {
            self.release(self.waiting.len() - 1, out)?;
        }
        Ok(())
    }

    /// Gives all that still wait.
    pub(super) fn finish(&mut self, out: &mut Vec<Series>) -> Result<(), OutOfOrder> {
        self.release(0, out)
    }

    /// Whether nothing that comes later can go out before: the last label is its own, so whatever begins with its labels
    /// continues behind them.
    fn goes_at_once(&self, series: &Series) -> bool {
        self.first.is_none() && series.labels.iter().last().is_none_or(|(name, _)| !self.relabel.adds(name))
    }

    /// How many labels below `first` this set has in common with the one before, from the beginning; and how many it has.
    fn shared(&self, labels: &LabelBytes) -> (usize, usize) {
        let own = |(name, _): &(&[u8], &[u8])| !self.relabel.adds(name);
        let below =
            |(name, _): &(&[u8], &[u8])| self.first.as_ref().is_none_or(|first| *name < first.as_ref());
        let mut before = self.arrived.iter().take_while(below).filter(own);
        let (mut shared, mut kept, mut same) = (0, 0, true);
        for label in labels.iter().take_while(below).filter(own) {
            same = same && before.next() == Some(label);
            shared += usize::from(same);
            kept += 1;
        }
        (shared, kept)
    }

    /// Lets go all from this place on, and those before it that are less than one of them.
    fn release(&mut self, from: usize, out: &mut Vec<Series>) -> Result<(), OutOfOrder> {
        let mut going: Vec<Series> = self.waiting.drain(from..).map(|waiting| waiting.series).collect();
        let Some(greatest) = going.iter().map(|series| &series.labels).max().cloned() else { return Ok(()) };
        let less = |waiting: &mut Waiting| waiting.series.labels <= greatest;
        let mut before: Vec<Series> =
            self.waiting.extract_if(.., less).map(|waiting| waiting.series).collect();
        before.append(&mut going);
        // Stable: the parts of one series stay in the order of their times.
        before.sort_by(|one, two| one.labels.cmp(&two.labels));
        for series in before {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(size(&series));
            self.emit(series, out)?;
        }
        Ok(())
    }

    fn emit(&mut self, series: Series, out: &mut Vec<Series>) -> Result<(), OutOfOrder> {
        if let Some(last) = &self.last
            && series.labels < *last
        {
            return Err(OutOfOrder { earlier: last.clone(), later: series.labels });
        }
        self.last = Some(series.labels.clone());
        out.push(series);
        Ok(())
    }
}

/// Roughly the bytes that a series holds.
fn size(series: &Series) -> usize {
    size_of::<Waiting>() + series.encoded_len() + series.chunks.capacity() * size_of::<storeapi::AggrChunk>()
}

#[cfg(test)]
mod tests;
