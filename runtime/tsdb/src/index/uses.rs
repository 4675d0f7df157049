//! Which series use which label: collected series by series, given back label by label.
//!
//! A use is a number of 64 bits, the value's symbol above the series, so that sorting the uses of one name gives its lists.
//! Where they take more memory than they may, all that there are are sorted and written to a scratch file, as a run. As the
//! series of a later run stand behind those of an earlier one, a list is in the end the lists of all runs behind each other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use crate::encoding::{Reader, put_uvarint};
use crate::stored::{Scratch, ScratchError, ScratchOutput, ScratchReader};

use super::lists::ListsWriter;
use super::writer::IndexWriteError;

/// Bits of a symbol that are sorted in one pass.
const DIGIT_BITS: u32 = 11;
/// Fewer uses are sorted by comparing.
const FEW: usize = 512;
/// Bytes that are read at once of a run, and at least of it where there are many.
const PIECE_BYTES: usize = 256 << 10;
const PIECE_BYTES_MIN: usize = 4 << 10;

/// Collects uses.
#[derive(Debug)]
pub(super) struct Uses {
    /// All series.
    all: Vec<u32>,
    names: Vec<OfName>,
    /// For each place among the labels of a series where in `names` the one is that stood there in the last series.
    places: Vec<usize>,
    known: HashMap<u32, usize, foldhash::fast::FixedState>,
    held_bytes: usize,
    bytes_max: usize,
    scratch: Option<Scratch>,
    runs: Option<Runs>,
    spare: Vec<u64>,
}

#[derive(Debug)]
struct OfName {
    name: u32,
    uses: Vec<u64>,
}

#[derive(Debug)]
struct Runs {
    out: ScratchOutput,
    /// Where each ends.
    ends: Vec<u64>,
}

impl Uses {
    /// Holds at most a quarter of the scratch's memory; without one as much as there is.
    pub(super) fn new(scratch: Option<&Scratch>) -> Self {
        let bytes_max = scratch
            .map_or(usize::MAX, |scratch| usize::try_from(scratch.memory_bytes() / 4).unwrap_or(usize::MAX));
        Uses {
            all: Vec::new(),
            names: Vec::new(),
            places: Vec::new(),
            known: HashMap::default(),
            held_bytes: 0,
            bytes_max,
            scratch: scratch.cloned(),
            runs: None,
            spare: Vec::new(),
        }
    }

    /// Takes the labels of a series that stands behind all before.
    #[inline]
    pub(super) fn add(&mut self, labels: &[(u32, u32)], series: u32) -> Result<(), ScratchError> {
        self.all.push(series);
        for (place, (name, value)) in labels.iter().enumerate() {
            let last = self.places.get(place).and_then(|at| self.names.get_mut(*at));
            let of_name = match last.filter(|of_name| of_name.name == *name) {
                Some(of_name) => of_name,
                None => match self.find(place, *name) {
                    Some(of_name) => of_name,
                    None => continue,
                },
            };
            of_name.uses.push(u64::from(*value) << u32::BITS | u64::from(series));
        }
        self.held_bytes = self.held_bytes.saturating_add(4).saturating_add(labels.len().saturating_mul(8));
        if self.held_bytes > self.bytes_max { self.spill() } else { Ok(()) }
    }

    /// The uses of a name, which from now on is expected at this place.
    fn find(&mut self, place: usize, name: u32) -> Option<&mut OfName> {
        let names = &mut self.names;
        let at = *self.known.entry(name).or_insert_with(|| {
            names.push(OfName { name, uses: Vec::new() });
            names.len().saturating_sub(1)
        });
        if place >= self.places.len() {
            self.places.resize(place.saturating_add(1), usize::MAX);
        }
        if let Some(slot) = self.places.get_mut(place) {
            *slot = at;
        }
        self.names.get_mut(at)
    }

    /// The names in order.
    fn sort_names(&mut self) {
        self.names.sort_unstable_by_key(|of_name| of_name.name);
        self.places.clear();
        self.known.clear();
        self.known.extend(self.names.iter().enumerate().map(|(at, of_name)| (of_name.name, at)));
    }

    /// Writes a run of all that is held.
    fn spill(&mut self) -> Result<(), ScratchError> {
        let Some(scratch) = &self.scratch else { return Ok(()) };
        let mut runs = match self.runs.take() {
            Some(runs) => runs,
            None => Runs { out: scratch.create()?, ends: Vec::new() },
        };
        self.sort_names();
        put_group(&mut runs.out, 0, 0, self.all.len(), self.all.iter().copied())?;
        self.all.clear();
        for of_name in &mut self.names {
            sort_by_value(&mut of_name.uses, &mut self.spare);
            // The list of all series is that of name 0.
            let name = u64::from(of_name.name).saturating_add(1);
            for list in of_name.uses.chunk_by(|one, next| one >> u32::BITS == next >> u32::BITS) {
                let value = list.first().map_or(0, |first| first >> u32::BITS);
                put_group(&mut runs.out, name, value, list.len(), list.iter().map(|used| *used as u32))?;
            }
            of_name.uses.clear();
        }
        runs.ends.push(runs.out.position());
        self.runs = Some(runs);
        self.held_bytes = 0;
        Ok(())
    }

    /// Writes the list of all series, then those of all labels in order.
    pub(super) fn write(mut self, lists: &mut ListsWriter<'_>) -> Result<(), IndexWriteError> {
        if self.runs.is_some() && !self.all.is_empty() {
            self.spill()?;
        }
        if let Some(runs) = self.runs.take() {
            let share = self.bytes_max;
            // What was held is of no use any more.
            drop(self);
            return merge_runs(runs, share, lists);
        }
        lists.begin(None, self.all.len() as u64)?;
        lists.put(self.all.iter().copied())?;
        lists.end()?;
        self.all = Vec::new();
        self.sort_names();
        for of_name in &mut self.names {
            let mut uses = std::mem::take(&mut of_name.uses);
            sort_by_value(&mut uses, &mut self.spare);
            for list in uses.chunk_by(|one, next| one >> u32::BITS == next >> u32::BITS) {
                let value = list.first().map_or(0, |first| (first >> u32::BITS) as u32);
                lists.begin(Some((of_name.name, value)), list.len() as u64)?;
                lists.put(list.iter().map(|used| *used as u32))?;
                lists.end()?;
            }
        }
        Ok(())
    }
}

/// Sorts by value; the uses of a value stay in the order of their series. `spare` is memory for it.
fn sort_by_value(uses: &mut Vec<u64>, spare: &mut Vec<u64>) {
    if uses.is_sorted() {
        return;
    }
    if uses.len() < FEW {
        uses.sort_unstable();
        return;
    }
    let values = || uses.iter().map(|used| used >> u32::BITS);
    let least = values().min().unwrap_or(0);
    let range = values().max().unwrap_or(0).wrapping_sub(least);
    let bits = u64::BITS - range.leading_zeros();
    spare.clear();
    spare.resize(uses.len(), 0);
    let mut shift = 0u32;
    while shift < bits {
        let digit =
            |used: u64| ((used >> u32::BITS).wrapping_sub(least) >> shift) as usize & ((1 << DIGIT_BITS) - 1);
        let mut places = [0usize; 1 << DIGIT_BITS];
        for used in uses.iter() {
            if let Some(count) = places.get_mut(digit(*used)) {
                *count += 1;
            }
        }
        let mut before = 0usize;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for used in uses.iter() {
            if let Some(place) = places.get_mut(digit(*used)) {
                if let Some(slot) = spare.get_mut(*place) {
                    *slot = *used;
                }
                *place += 1;
            }
        }
        std::mem::swap(uses, spare);
        shift += DIGIT_BITS;
    }
}

/// Appends a list to a run: name, value, count, the first series, differences.
fn put_group(
    out: &mut ScratchOutput,
    name: u64,
    value: u64,
    count: usize,
    series: impl Iterator<Item = u32>,
) -> Result<(), ScratchError> {
    let buffer = out.buffer();
    put_uvarint(buffer, name);
    put_uvarint(buffer, value);
    put_uvarint(buffer, count as u64);
    let mut last = 0u32;
    for series in series {
        put_uvarint(out.buffer(), u64::from(series.wrapping_sub(last)));
        last = series;
        out.drain()?;
    }
    out.drain()
}

/// A run that is read.
struct Run {
    reader: ScratchReader,
    /// How many series its list has.
    count: u64,
}

impl Run {
    /// Reads the head of the next list and gives its name and value, the name above.
    fn next(&mut self) -> Result<Option<u64>, ScratchError> {
        let bytes = self.reader.peek(25)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut head = Reader::new(bytes, 0);
        let (name, value, count) = (head.uvarint(), head.uvarint(), head.uvarint());
        let read = head.offset() as usize;
        let (Ok(name), Ok(value), Ok(count)) = (name, value, count) else {
            return Err(self.reader.damaged());
        };
        self.reader.skip(read);
        self.count = count;
        Ok(Some(name << u32::BITS | value))
    }

    /// Writes the series of the list.
    fn put(&mut self, lists: &mut ListsWriter<'_>) -> Result<(), IndexWriteError> {
        let mut last = 0u32;
        let mut left = self.count;
        while left > 0 {
            // A difference takes five bytes at most.
            let wanted = usize::try_from(left.saturating_mul(5)).unwrap_or(usize::MAX).min(PIECE_BYTES_MIN);
            let bytes = self.reader.peek(wanted)?;
            let mut reader = Reader::new(bytes, 0);
            let mut damaged = false;
            let all = bytes.len() < wanted;
            lists.put(std::iter::from_fn(|| {
                if left == 0 || reader.is_empty() || (!all && reader.len() < 5) {
                    return None;
                }
                let Ok(step) = reader.uvarint() else {
                    damaged = true;
                    return None;
                };
                left = left.saturating_sub(1);
                last = last.wrapping_add(step as u32);
                Some(last)
            }))?;
            let read = reader.offset() as usize;
            if damaged || read == 0 {
                return Err(self.reader.damaged().into());
            }
            self.reader.skip(read);
        }
        Ok(())
    }
}

/// Writes the lists of all runs, those of one label as one.
fn merge_runs(runs: Runs, bytes_max: usize, lists: &mut ListsWriter<'_>) -> Result<(), IndexWriteError> {
    let file = runs.out.close()?;
    let piece = (bytes_max / runs.ends.len().max(1)).clamp(PIECE_BYTES_MIN, PIECE_BYTES);
    let mut start = 0;
    let mut open = Vec::with_capacity(runs.ends.len());
    let mut heads = BinaryHeap::with_capacity(runs.ends.len());
    for end in runs.ends {
        let reader = ScratchReader::new(file.clone(), start, end, piece);
        let mut run = Run { reader, count: 0 };
        if let Some(key) = run.next()? {
            heads.push(Reverse((key, open.len())));
        }
        open.push(run);
        start = end;
    }
    drop(file);
    let mut same = Vec::new();
    while let Some(Reverse((key, _))) = heads.peek().copied() {
        same.clear();
        let mut count = 0u64;
        while let Some(Reverse((found, at))) = heads.peek().copied().filter(|head| head.0.0 == key) {
            heads.pop();
            same.push(at);
            count = count.saturating_add(open.get(at).map_or(0, |run| run.count));
            debug_assert_eq!(found, key);
        }
        let name = (key >> u32::BITS).checked_sub(1).map(|name| name as u32);
        lists.begin(name.map(|name| (name, key as u32)), count)?;
        for at in &same {
            if let Some(run) = open.get_mut(*at) {
                run.put(lists)?;
                if let Some(key) = run.next()? {
                    heads.push(Reverse((key, *at)));
                }
            }
        }
        lists.end()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn uses_are_sorted_by_value_then_series(
            values in proptest::collection::vec(prop_oneof![0u32..5, 0u32..9000, any::<u32>()], 0..1500),
        ) {
            let uses = || values.iter().zip(0u64..).map(|(value, series)| u64::from(*value) << 32 | series);
            let (mut sorted, mut expected): (Vec<u64>, Vec<u64>) = (uses().collect(), uses().collect());
            sort_by_value(&mut sorted, &mut Vec::new());
            expected.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }
}
