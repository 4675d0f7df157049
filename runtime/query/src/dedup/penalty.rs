//! Thanos' penalty algorithm, on columns.
//!
//! Two replicas of a series are scraped at different moments. The one that has the turn keeps it: each of its samples bars the
//! other for twice the distance to the sample before, counted from the sample. Only a gap longer than that passes the turn on.
//! While the distances of the one with the turn stay below, nothing of the other can come out, and nothing of it is looked at.

use super::PieceError;
use super::column::Column;
use super::replica::{Decoder, Replica};

/// How long the first sample bars the other replica, milliseconds: no distance is known yet.
const INITIAL_PENALTY_MS: i64 = 5000;

/// Merges replicas, the first two, then what came out with the third, and so on.
pub(super) fn fold(
    replicas: &mut [Replica<'_>],
    monotonic: bool,
    decoder: &mut Decoder,
    spare: &mut Vec<Column>,
) -> Result<Column, PieceError> {
    let Some((first, others)) = replicas.split_first_mut() else { return Ok(Column::default()) };
    let mut merged: Option<Replica<'_>> = None;
    for other in others {
        let out = spare.pop().unwrap_or_default();
        let mut pair = Pair::new([merged.as_mut().unwrap_or(&mut *first), other], monotonic, out);
        pair.run(decoder)?;
        let out = pair.out;
        let before = merged.replace(Replica::decoded(out));
        spare.extend(before.map(|mut before| before.take_column()));
    }
    Ok(merged.map(|mut merged| merged.take_column()).unwrap_or_default())
}

/// One of two replicas.
struct Side<'r, 'p> {
    replica: &'r mut Replica<'p>,
    /// The row that is next, `None` behind the last.
    row: Option<usize>,
    /// What it is barred for behind the last sample.
    penalty: i64,
    /// It was sought up to this time, if only in thought.
    sought: i64,
    /// What is added to its values.
    add: f64,
}

impl Side<'_, '_> {
    fn seek(&mut self, time: i64, decoder: &mut Decoder) -> Result<(), PieceError> {
        self.sought = self.sought.max(time.saturating_add(self.penalty));
        if let Some(row) = self.row {
            self.row = self.replica.seek(row, self.sought, decoder)?;
        }
        Ok(())
    }

    fn time(&self) -> Option<i64> {
        self.row.map(|row| self.replica.column.time(row))
    }

    fn value(&self) -> Option<f64> {
        self.row.and_then(|row| self.replica.column.float(row)).map(|value| value + self.add)
    }

    /// Lifts its values so that the next is not below `last`.
    fn adjust(&mut self, last: f64) {
        if let Some(value) = self.value()
            && last > value
        {
            self.add += last - value;
        }
    }
}

struct Pair<'r, 'p> {
    sides: [Side<'r, 'p>; 2],
    monotonic: bool,
    /// The last sample that came out.
    last: Option<i64>,
    out: Column,
}

impl<'r, 'p> Pair<'r, 'p> {
    fn new(replicas: [&'r mut Replica<'p>; 2], monotonic: bool, mut out: Column) -> Self {
        out.clear();
        let sides =
            replicas.map(|replica| Side { replica, row: Some(0), penalty: 0, sought: i64::MIN, add: 0.0 });
        Pair { sides, monotonic, last: None, out }
    }

    fn run(&mut self, decoder: &mut Decoder) -> Result<(), PieceError> {
        let (mut second_has, mut last_value) = (false, None);
        loop {
            let [first, second] = &mut self.sides;
            let after = self.last.map_or(i64::MIN, |last| last.saturating_add(1));
            first.seek(after, decoder)?;
            second.seek(after, decoder)?;
            if self.last.is_none() {
                last_value = first.value();
            }
            let picks_second = match (first.time(), second.time()) {
                (None, None) => return Ok(()),
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(first), Some(second)) => second < first,
            };
            if self.monotonic
                && picks_second != second_has
                && let Some(last) = last_value
            {
                first.adjust(last);
                second.adjust(last);
            }
            second_has = picks_second;
            let [picked, other] = if picks_second { [second, first] } else { [first, second] };
            // At the same time the first goes first.
            let tie = i64::from(!picks_second);
            let last_row = take_run(picked, other, &mut self.last, tie, decoder)?;
            let (Some(start), add) = (picked.row, picked.add) else { return Ok(()) };
            let column = &picked.replica.column;
            self.out.append(column, start..last_row + 1, self.monotonic.then_some(add));
            picked.row = Some(last_row);
            last_value = picked.value();
        }
    }
}

/// Finds how long `picked` keeps the turn for sure: its last row. Sets penalties, and `last` to the time of that row.
fn take_run(
    picked: &mut Side<'_, '_>,
    other: &mut Side<'_, '_>,
    last: &mut Option<i64>,
    tie: i64,
    decoder: &mut Decoder,
) -> Result<usize, PieceError> {
    picked.penalty = 0;
    let mut row = picked.row.unwrap_or(0);
    let mut time = picked.replica.column.time(row);
    // The other cannot have a sample before.
    let known = other.time().unwrap_or(i64::MAX);
    let mut penalty = last.map_or(INITIAL_PENALTY_MS, |last| time.saturating_sub(last).saturating_mul(2));
    loop {
        let ahead = picked.replica.column.rows.timestamps.get(row + 1..).unwrap_or_default();
        let mut taken = 0;
        for next in ahead {
            let barred = time.saturating_add(1).saturating_add(penalty);
            other.sought = other.sought.max(barred);
            if *next >= known.max(other.sought).saturating_add(tie) {
                break;
            }
            penalty = next.saturating_sub(time).saturating_mul(2);
            time = *next;
            taken += 1;
        }
        row += taken;
        if taken < ahead.len() || !picked.replica.more(time.saturating_add(1), decoder)? {
            break;
        }
    }
    (other.penalty, *last) = (penalty, Some(time));
    Ok(row)
}
