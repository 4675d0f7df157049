//! Thanos' penalty algorithm, on columns.
//!
//! Two replicas of a series are scraped at different moments. The one that has the turn keeps it: each of its samples bars the
//! other for twice the distance to the sample before, counted from the sample. Only a gap longer than that passes the turn on.
//! While the distances of the one with the turn stay below, nothing of the other can come out, and nothing of it is looked at.

use std::ops::Range;

use super::PieceError;
use super::column::Column;
use super::replica::{Decoder, Replica};

/// How long the first sample bars the other replica, milliseconds: no distance is known yet.
const INITIAL_PENALTY_MS: i64 = 5000;

/// What is done where values would fall as the turn passes from one replica to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Falls {
    /// Nothing: they are no counter's.
    Kept,
    /// What follows is lifted, as Thanos does with counters whose resets are gone.
    Lifted,
    /// The merge ends without a result: it may be a reset, or a replica that is behind.
    Refused,
}

/// Merges replicas, the first two, then what came out with the third, and so on; `None` where falling values are refused.
pub(super) fn fold(
    replicas: &mut [Replica<'_>],
    falls: Falls,
    decoder: &mut Decoder,
    spare: &mut Vec<Column>,
) -> Result<Option<Column>, PieceError> {
    let Some((first, others)) = replicas.split_first_mut() else { return Ok(None) };
    let mut merged: Option<Replica<'_>> = None;
    for other in others {
        let out = spare.pop().unwrap_or_default();
        let mut pair = Pair::new([merged.as_mut().unwrap_or(&mut *first), other], falls, out);
        let is_done = pair.run(decoder)?;
        let out = pair.out;
        if !is_done {
            spare.push(out);
            spare.extend(merged.map(|mut merged| merged.take_column()));
            return Ok(None);
        }
        let before = merged.replace(Replica::decoded(out));
        spare.extend(before.map(|mut before| before.take_column()));
    }
    Ok(merged.map(|mut merged| merged.take_column()))
}

/// One of two replicas.
struct Side<'r, 'p> {
    replica: &'r mut Replica<'p>,
    /// The row that is next, `None` behind the last; one before it as long as nobody has gone to `sought`.
    row: Option<usize>,
    /// What it is barred for behind the last sample.
    penalty: i64,
    /// It was sought up to this time, if only in thought.
    sought: i64,
    /// Whether `row` is where `sought` leads to.
    settled: bool,
    /// What is added to its values.
    add: f64,
}

impl Side<'_, '_> {
    /// Everything before a time, and before what it is barred for behind it, is left out.
    fn skip_to(&mut self, time: i64) {
        self.sought = self.sought.max(time.saturating_add(self.penalty));
        self.settled = false;
    }

    /// Goes to where it was sought, and decodes what lies there.
    fn settle(&mut self, decoder: &mut Decoder) -> Result<(), PieceError> {
        if !self.settled
            && let Some(row) = self.row
        {
            self.row = self.replica.seek(row, self.sought, decoder)?;
        }
        self.settled = true;
        Ok(())
    }

    /// A time before which it has no sample, found without decoding anything.
    fn earliest(&self) -> i64 {
        match self.row {
            None => i64::MAX,
            Some(row) if self.settled => self.replica.column.time(row),
            Some(row) => self.replica.earliest(row, self.sought),
        }
    }

    /// The time of the next sample of a side that is settled.
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

/// Rows of one side that come out, and what is added to their values.
struct Taken {
    is_second: bool,
    rows: Range<usize>,
    add: f64,
}

struct Pair<'r, 'p> {
    sides: [Side<'r, 'p>; 2],
    falls: Falls,
    /// The last sample that came out.
    last: Option<i64>,
    /// The last rows that came out, not yet in `out`.
    taken: Option<Taken>,
    out: Column,
}

impl<'r, 'p> Pair<'r, 'p> {
    fn new(replicas: [&'r mut Replica<'p>; 2], falls: Falls, mut out: Column) -> Self {
        out.clear();
        let sides = replicas.map(|replica| Side {
            replica,
            row: Some(0),
            penalty: 0,
            sought: i64::MIN,
            settled: false,
            add: 0.0,
        });
        Pair { sides, falls, last: None, taken: None, out }
    }

    /// `false`: it came upon falling values that are refused.
    fn run(&mut self, decoder: &mut Decoder) -> Result<bool, PieceError> {
        let (mut second_has, mut last_value) = (false, None);
        loop {
            let [first, second] = &mut self.sides;
            let after = self.last.map_or(i64::MIN, |last| last.saturating_add(1));
            first.skip_to(after);
            second.skip_to(after);
            first.settle(decoder)?;
            if self.last.is_none() {
                last_value = first.value();
            }
            let picks_second = match first.time() {
                // What the second has comes later: when exactly does not matter.
                Some(first) if second.earliest() >= first => false,
                first => {
                    second.settle(decoder)?;
                    match (first, second.time()) {
                        (None, None) => break,
                        (Some(_), None) => false,
                        (None, Some(_)) => true,
                        (Some(first), Some(second)) => second < first,
                    }
                }
            };
            if picks_second != second_has
                && let Some(last) = last_value
            {
                match self.falls {
                    Falls::Kept => {}
                    Falls::Lifted => {
                        second.settle(decoder)?;
                        first.adjust(last);
                        second.adjust(last);
                    }
                    Falls::Refused => {
                        let picked = if picks_second { &*second } else { &*first };
                        if self.last.is_some() && picked.value().is_some_and(|value| value < last) {
                            return Ok(false);
                        }
                    }
                }
            }
            second_has = picks_second;
            let [picked, other] = if picks_second { [second, first] } else { [first, second] };
            // At the same time the first goes first.
            let tie = i64::from(!picks_second);
            let last_row = take_run(picked, other, &mut self.last, tie, decoder)?;
            let (Some(start), add) = (picked.row, picked.add) else { break };
            picked.row = Some(last_row);
            last_value = picked.value();
            self.take(Taken { is_second: picks_second, rows: start..last_row + 1, add });
        }
        self.finish();
        Ok(true)
    }

    /// Rows come out. They stay where they are as long as those of the same side follow.
    fn take(&mut self, next: Taken) {
        if let Some(taken) = &mut self.taken
            && taken.is_second == next.is_second
            && taken.rows.end == next.rows.start
            && taken.add.to_bits() == next.add.to_bits()
        {
            taken.rows.end = next.rows.end;
            return;
        }
        if let Some(before) = self.taken.replace(next) {
            self.append(before);
        }
    }

    fn append(&mut self, taken: Taken) {
        let [first, second] = &self.sides;
        let side = if taken.is_second { second } else { first };
        self.out.append(&side.replica.column, taken.rows, (self.falls == Falls::Lifted).then_some(taken.add));
    }

    /// The last rows come out. Where these are all, and all of their side, nothing is copied.
    fn finish(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let [first, second] = &mut self.sides;
        let side = if taken.is_second { second } else { first };
        let column = &mut side.replica.column;
        if self.out.len() == 0 && taken.rows == (0..column.len()) {
            std::mem::swap(&mut self.out, column);
            if self.falls == Falls::Lifted {
                self.out.lift(taken.add);
            }
            return;
        }
        self.append(taken);
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
    let time = picked.replica.column.time(row);
    let penalty = last.map_or(INITIAL_PENALTY_MS, |last| time.saturating_sub(last).saturating_mul(2));
    // The other cannot have a sample before.
    let mut run = Run { time, penalty, known: other.earliest(), sought: other.sought, tie };
    loop {
        let ahead = picked.replica.column.rows.timestamps.get(row + 1..).unwrap_or_default();
        let is_even = picked.replica.column.even_from.is_some_and(|from| from <= row + 1);
        let taken = run.take(ahead, is_even);
        row += taken;
        if taken < ahead.len() || !picked.replica.more(run.time.saturating_add(1), decoder)? {
            break;
        }
    }
    (other.sought, other.penalty, *last) = (run.sought, run.penalty, Some(run.time));
    Ok(row)
}

/// So many rows are looked at together.
const BLOCK: usize = 64;

/// Samples of the replica that has the turn, up to one of them.
struct Run {
    /// Its time.
    time: i64,
    /// How long it bars the other replica.
    penalty: i64,
    /// The other replica has nothing before this time,
    known: i64,
    /// and before this one nothing that counts.
    sought: i64,
    tie: i64,
}

impl Run {
    /// How many of these rows come out before the other replica may have the turn. `is_even`: all distances between them are the
    /// same.
    fn take(&mut self, ahead: &[i64], is_even: bool) -> usize {
        let mut taken = 0;
        for block in ahead.chunks(if is_even { ahead.len().max(1) } else { BLOCK }) {
            let steady = is_even || is_steady(self.time, block);
            // The distance to the first of even rows may be any.
            let singly = usize::from(is_even);
            for (at, next) in block.iter().enumerate() {
                if !self.step(*next) {
                    return taken + at;
                }
                if steady && at >= singly && self.skip(block) {
                    break;
                }
            }
            taken += block.len();
        }
        taken
    }

    fn step(&mut self, next: i64) -> bool {
        self.sought = self.sought.max(self.time.saturating_add(1).saturating_add(self.penalty));
        let comes = next < self.known.max(self.sought).saturating_add(self.tie);
        if comes {
            self.penalty = next.saturating_sub(self.time).saturating_mul(2);
            self.time = next;
        }
        comes
    }

    /// Takes all of a steady block, of which the first rows were taken. Each distance is less than twice the one before, so no row
    /// passes the turn on; and with each row the other is barred for longer, so that the last but one decides.
    fn skip(&mut self, block: &[i64]) -> bool {
        let [.., two_before, before, last] = block else { return false };
        let penalty = before.saturating_sub(*two_before).saturating_mul(2);
        self.sought = self.sought.max(before.saturating_add(1).saturating_add(penalty));
        self.penalty = last.saturating_sub(*before).saturating_mul(2);
        self.time = *last;
        true
    }
}

/// Whether the largest distance between these rows, and to the one before them, is at most one and a half times the smallest.
fn is_steady(before: i64, block: &[i64]) -> bool {
    let first = block.first().map_or(0, |first| first.wrapping_sub(before));
    let (mut least, mut most) = (first, first);
    for (time, next) in block.iter().zip(block.iter().skip(1)) {
        let distance = next.wrapping_sub(*time);
        (least, most) = (least.min(distance), most.max(distance));
    }
    least > 0 && most <= least.saturating_add(least / 2)
}
