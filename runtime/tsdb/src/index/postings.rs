//! Lists of postings and their algebra; `docs/index.md`, "Postings".
//!
//! A list as it is stored stays where it is, big-endian; results are lists of integers. All are strictly ascending.

use bytes::Bytes;

use crate::corruption::Fault;
use crate::encoding::{At, Reader};

use super::series::SeriesRef;

/// Series, ascending, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postings(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Big-endian integers, their number a multiple of four bytes.
    Stored(Bytes),
    Made(Vec<u32>),
}

impl Default for Postings {
    fn default() -> Self {
        Postings(Kind::Made(Vec::new()))
    }
}

impl Postings {
    /// Reads the content of a stored list (between its length and its checksum) and checks that it ascends.
    pub(crate) fn decode(content: Bytes, offset: u64) -> Result<Self, At> {
        check(&content, offset)?;
        Ok(Postings(Kind::Stored(content.slice(4.min(content.len())..))))
    }

    /// A list from integers that ascend.
    pub(crate) fn made(list: Vec<u32>) -> Self {
        debug_assert!(list.is_sorted_by(|one, next| one < next));
        Postings(Kind::Made(list))
    }

    /// A list from numbers that ascend strictly; `None` where they do not.
    pub fn from_ascending(list: Vec<u32>) -> Option<Self> {
        list.is_sorted_by(|one, next| one < next).then_some(Postings(Kind::Made(list)))
    }

    /// Only the first `count` series.
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        match self.0 {
            Kind::Stored(mut bytes) => {
                bytes.truncate(count.saturating_mul(4));
                Postings(Kind::Stored(bytes))
            }
            Kind::Made(mut list) => {
                list.truncate(count);
                Postings(Kind::Made(list))
            }
        }
    }

    /// Bytes that the list takes in memory.
    pub fn held_bytes(&self) -> usize {
        self.len().saturating_mul(4)
    }

    /// How many series.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Stored(bytes) => bytes.len() / 4,
            Kind::Made(list) => list.len(),
        }
    }

    /// Bytes held in memory of its own; what lies in the index is not counted.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Kind::Stored(_) => 0,
            Kind::Made(list) => list.capacity() * 4,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The series at a place in the list.
    pub fn get(&self, at: usize) -> Option<SeriesRef> {
        self.number(at).map(SeriesRef)
    }

    #[inline]
    fn number(&self, at: usize) -> Option<u32> {
        match &self.0 {
            Kind::Stored(bytes) => {
                let tail = bytes.get(at.checked_mul(4)?..)?;
                tail.first_chunk().map(|four| u32::from_be_bytes(*four))
            }
            Kind::Made(list) => list.get(at).copied(),
        }
    }

    /// The series in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = SeriesRef> + '_ {
        (0..self.len()).map_while(|at| self.get(at))
    }

    /// Whether a series is in the list.
    pub fn contains(&self, series: SeriesRef) -> bool {
        let at = self.seek(0, series.0);
        self.number(at) == Some(series.0)
    }

    /// The first place from `from` on whose number is not below `target`: in steps that double, then by halves.
    fn seek(&self, from: usize, target: u32) -> usize {
        let length = self.len();
        let below = |at: usize| self.number(at).is_some_and(|number| number < target);
        if !below(from) {
            return from.min(length);
        }
        let (mut low, mut step) = (from, 1usize);
        while below(low.saturating_add(step)) {
            low = low.saturating_add(step);
            step = step.saturating_mul(2);
        }
        let mut high = low.saturating_add(step).min(length);
        // `low` is below the target, `high` is not.
        while high.saturating_sub(low) > 1 {
            let middle = low + (high - low) / 2;
            if below(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// The series that are in any list.
    pub fn union(lists: &[Postings]) -> Postings {
        let mut union = Union::default();
        lists.iter().for_each(|list| union.add(list));
        union.finish()
    }

    /// The series that are in all lists; the smallest list leads. No lists give no series.
    pub fn intersect(mut lists: Vec<Postings>) -> Postings {
        lists.sort_by_key(Postings::len);
        let mut lists = lists.into_iter();
        let Some(first) = lists.next() else { return Postings::default() };
        lists.fold(first, |small, large| small.intersect_two(&large))
    }

    fn intersect_two(&self, large: &Postings) -> Postings {
        let mut both = Vec::new();
        let (mut here, mut there) = (0usize, 0usize);
        while let Some(number) = self.number(here) {
            there = large.seek(there, number);
            match large.number(there) {
                None => break,
                Some(found) if found == number => {
                    both.push(number);
                    here += 1;
                    there += 1;
                }
                Some(found) => here = self.seek(here, found),
            }
        }
        Postings::made(both)
    }

    /// Whether any series is in both lists.
    pub fn intersects(&self, other: &Postings) -> bool {
        let (small, large) = if self.len() <= other.len() { (self, other) } else { (other, self) };
        let (mut here, mut there) = (0usize, 0usize);
        while let Some(number) = small.number(here) {
            there = large.seek(there, number);
            match large.number(there) {
                None => return false,
                Some(found) if found == number => return true,
                Some(found) => here = small.seek(here, found),
            }
        }
        false
    }

    /// The series that are in this list and not in the other.
    pub fn without(&self, other: &Postings) -> Postings {
        if self.is_empty() || other.is_empty() {
            return self.clone();
        }
        let mut left = Vec::with_capacity(self.len());
        let mut there = 0usize;
        for here in 0..self.len() {
            let Some(number) = self.number(here) else { break };
            there = other.seek(there, number);
            if other.number(there) != Some(number) {
                left.push(number);
            }
        }
        Postings::made(left)
    }
}

/// Checks the content of a stored list: its count, its order.
pub(crate) fn check(content: &[u8], offset: u64) -> Result<(), At> {
    let mut reader = Reader::new(content, offset);
    let here = reader.fault(Fault::Varint);
    let count = reader.u32()?;
    let max = (reader.len() / 4) as u64;
    if u64::from(count) > max {
        let fault = Fault::OutOfRange { what: "number of postings", value: count.into(), max };
        return Err(At { fault, ..here });
    }
    let stated = (count as usize).saturating_mul(4);
    if stated < reader.len() {
        let at = offset.saturating_add(4).saturating_add(stated as u64);
        return Err(At { offset: at, fault: Fault::Trailing((reader.len() - stated) as u64) });
    }
    let (numbers, _) = reader.rest().as_chunks::<4>();
    let ascending = numbers.is_sorted_by(|one, next| u32::from_be_bytes(*one) < u32::from_be_bytes(*next));
    if ascending { Ok(()) } else { Err(At { fault: Fault::Order("postings"), ..here }) }
}

/// Collects lists and gives their union: by a bit per number where the lists are dense, else by sorting.
#[derive(Debug, Default)]
pub(crate) struct Union {
    numbers: Vec<u32>,
    /// Whether the numbers, as they were added, ascend.
    unsorted: bool,
}

impl Union {
    /// Adds a stored list that [`check`] has passed.
    pub(crate) fn add_content(&mut self, content: &[u8]) {
        let (numbers, _) = content.get(4..).unwrap_or(&[]).as_chunks::<4>();
        self.extend(numbers.iter().map(|four| u32::from_be_bytes(*four)));
    }

    /// Bytes that are held now.
    pub(crate) fn held_bytes(&self) -> usize {
        self.numbers.capacity().saturating_mul(4)
    }

    fn add(&mut self, list: &Postings) {
        match &list.0 {
            Kind::Stored(bytes) => {
                self.extend(bytes.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four)));
            }
            Kind::Made(made) => self.extend(made.iter().copied()),
        }
    }

    fn extend(&mut self, numbers: impl ExactSizeIterator<Item = u32>) {
        let start = self.numbers.len();
        self.numbers.extend(numbers);
        let seam = (start.checked_sub(1).and_then(|last| self.numbers.get(last)), self.numbers.get(start));
        self.unsorted |= matches!(seam, (Some(last), Some(first)) if first <= last);
    }

    pub(crate) fn finish(mut self) -> Postings {
        if !self.unsorted {
            return Postings::made(self.numbers);
        }
        let low = self.numbers.iter().copied().min().unwrap_or(0);
        let high = self.numbers.iter().copied().max().unwrap_or(0);
        let words = (high.saturating_sub(low) as usize) / 64 + 1;
        if words > self.numbers.len().saturating_mul(4) {
            self.numbers.sort_unstable();
            self.numbers.dedup();
            return Postings::made(self.numbers);
        }
        let mut bits = vec![0u64; words];
        for number in &self.numbers {
            let at = number.saturating_sub(low);
            if let Some(word) = bits.get_mut((at / 64) as usize) {
                *word |= 1 << (at % 64);
            }
        }
        self.numbers.clear();
        for (at, word) in bits.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                self.numbers.push(
                    low.saturating_add((at as u32).saturating_mul(64)).saturating_add(word.trailing_zeros()),
                );
                word &= word.wrapping_sub(1);
            }
        }
        Postings::made(self.numbers)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn content(list: &BTreeSet<u32>) -> Bytes {
        let mut bytes = (list.len() as u32).to_be_bytes().to_vec();
        bytes.extend(list.iter().flat_map(|number| number.to_be_bytes()));
        bytes.into()
    }

    fn stored(list: &BTreeSet<u32>) -> Postings {
        Postings::decode(content(list), 0).unwrap()
    }

    fn numbers(list: &Postings) -> Vec<u32> {
        list.iter().map(|series| series.0).collect()
    }

    fn set() -> impl Strategy<Value = BTreeSet<u32>> {
        prop_oneof![
            proptest::collection::btree_set(0u32..200, 0..100),
            proptest::collection::btree_set(any::<u32>(), 0..20),
            Just((0..2000).collect()),
        ]
    }

    proptest! {
        #[test]
        fn algebra_is_that_of_sets(sets in proptest::collection::vec(set(), 1..6)) {
            let lists: Vec<Postings> = sets.iter().map(stored).collect();
            let every = sets.iter().skip(1).fold(sets[0].clone(), |all, set| &all & set);
            let any = sets.iter().fold(BTreeSet::new(), |all, set| &all | set);
            prop_assert_eq!(numbers(&Postings::intersect(lists.clone())), Vec::from_iter(every));
            let mut union = Union::default();
            sets.iter().for_each(|set| union.add_content(&content(set)));
            prop_assert_eq!(numbers(&Postings::union(&lists)), Vec::from_iter(any.iter().copied()));
            prop_assert_eq!(numbers(&union.finish()), Vec::from_iter(any));
            let (one, other) = (&sets[0], &sets[sets.len() - 1]);
            prop_assert_eq!(lists[0].intersects(&lists[sets.len() - 1]), !one.is_disjoint(other));
            prop_assert_eq!(numbers(&lists[0].without(&lists[sets.len() - 1])), Vec::from_iter(one - other));
            for number in [0, 7, 199, u32::MAX] {
                prop_assert_eq!(lists[0].contains(SeriesRef(number)), one.contains(&number));
            }
        }
    }

    #[test]
    fn a_damaged_list_is_refused() {
        let bytes =
            |numbers: &[u32]| Bytes::from(numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>());
        let fault = |numbers: &[u32]| Postings::decode(bytes(numbers), 0).unwrap_err().fault;
        assert!(matches!(fault(&[u32::MAX, 1]), Fault::OutOfRange { .. }));
        assert_eq!(fault(&[1, 1, 2]), Fault::Trailing(4));
        assert_eq!(fault(&[2, 2, 1]), Fault::Order("postings"));
        assert_eq!(fault(&[2, 2, 2]), Fault::Order("postings"));
        assert_eq!(fault(&[]), Fault::Short { missing: 4 });
    }
}
