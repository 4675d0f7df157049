//! Which samples of a series count: not those that were deleted, nor stale markers, nor what goes back in time.

use prom_model::is_stale;
use tsdb::block::Interval;
use tsdb::chunk::{ChunkError, Columns, Encoding, Order, decode_floats};
use tsdb::corruption::Fault;

/// Judges the samples of a series one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    deleted: &'a [Interval],
    /// The time of the last sample that was kept.
    last: Option<i64>,
    /// Whether no sample of this chunk was kept.
    chunk_begins: bool,
}

impl<'a> Kept<'a> {
    pub(super) const fn new(deleted: &'a [Interval]) -> Self {
        Kept { deleted, last: None, chunk_begins: true }
    }

    /// As [`Kept::new`], for what lies behind a time.
    pub(super) const fn behind(deleted: &'a [Interval], last: Option<i64>) -> Self {
        Kept { deleted, last, chunk_begins: true }
    }

    /// What was deleted of the series.
    pub(super) const fn deleted(&self) -> &'a [Interval] {
        self.deleted
    }

    /// Says that the samples of another chunk follow.
    pub(super) const fn begin_chunk(&mut self) {
        self.chunk_begins = true;
    }

    /// The time of the last sample that was kept.
    pub(super) const fn last(&self) -> Option<i64> {
        self.last
    }

    /// Whether a sample that is no stale marker is kept. Inside of a chunk a time may stand twice.
    pub(super) fn takes(&mut self, time: i64) -> bool {
        let back = match self.last {
            Some(last) if self.chunk_begins => time <= last,
            Some(last) => time < last,
            None => false,
        };
        if back || self.is_deleted(time) {
            return false;
        }
        self.go_to(time);
        true
    }

    /// Says that a sample of this time was kept.
    pub(super) const fn go_to(&mut self, time: i64) {
        (self.last, self.chunk_begins) = (Some(time), false);
    }

    pub(super) fn is_deleted(&self, time: i64) -> bool {
        self.deleted.iter().any(|interval| interval.contains(time))
    }

    /// Appends the floats of a chunk that are kept. Says whether a value among them may be no number.
    ///
    /// # Errors
    /// What is wrong with the chunk; the columns are as before then.
    pub(super) fn floats(
        &mut self,
        encoding: Encoding,
        data: &[u8],
        into: &mut Columns,
    ) -> Result<bool, ChunkError> {
        self.begin_chunk();
        let start = into.len();
        let rising = match decode_floats(encoding, data, Order::Rising, into) {
            Err(ChunkError { fault: Fault::Order(_), .. }) => {
                decode_floats(encoding, data, Order::Any, into)?;
                false
            }
            decoded => decoded.map(|_| true)?,
        };
        let (times, values) =
            (into.timestamps.get(start..).unwrap_or(&[]), into.values.get(start..).unwrap_or(&[]));
        let some_no_number = values.iter().fold(false, |some, value| some | value.is_nan());
        let Some((first, last)) = times.first().copied().zip(times.last().copied()) else { return Ok(false) };
        if rising
            && !some_no_number
            && self.deleted.is_empty()
            && self.last.is_none_or(|before| before < first)
        {
            self.go_to(last);
            return Ok(false);
        }
        let mut end = start;
        for at in start..into.len() {
            let (Some(time), Some(value)) = (into.timestamps.get(at).copied(), into.values.get(at).copied())
            else {
                break;
            };
            if is_stale(value) || !self.takes(time) {
                continue;
            }
            if let (Some(to_time), Some(to_value)) = (into.timestamps.get_mut(end), into.values.get_mut(end))
            {
                (*to_time, *to_value) = (time, value);
            }
            end += 1;
        }
        into.timestamps.truncate(end);
        into.values.truncate(end);
        into.start_timestamps.clear();
        Ok(some_no_number)
    }
}
