//! Which series have which label: for selecting series by matchers.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use prom_model::{MatchOp, Matcher};

use super::symbols::{Symbol, Symbols};

/// The place of a series in the head's list.
pub(super) type Slot = u32;

/// Slots, rising. Most label values belong to one series only.
#[derive(Debug)]
enum List {
    One(Slot),
    Many(Vec<Slot>),
}

impl List {
    const fn slots(&self) -> &[Slot] {
        match self {
            List::One(slot) => std::slice::from_ref(slot),
            List::Many(slots) => slots.as_slice(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Postings {
    lists: HashMap<(Symbol, Symbol), List, FixedState>,
    /// The values of each name, in the order in which they came.
    values: HashMap<Symbol, Vec<Symbol>, FixedState>,
}

impl Postings {
    /// Adds a series; its slot is above all that are there.
    pub(super) fn add(&mut self, slot: Slot, labels: &[(Symbol, Symbol)]) {
        for (name, value) in labels {
            match self.lists.entry((*name, *value)) {
                Entry::Vacant(vacant) => {
                    vacant.insert(List::One(slot));
                    self.values.entry(*name).or_default().push(*value);
                }
                Entry::Occupied(mut occupied) => match occupied.get_mut() {
                    List::Many(slots) => slots.push(slot),
                    list @ List::One(_) => {
                        let mut slots = Vec::with_capacity(4);
                        slots.extend_from_slice(list.slots());
                        slots.push(slot);
                        *list = List::Many(slots);
                    }
                },
            }
        }
    }

    fn list(&self, name: Symbol, value: Symbol) -> &[Slot] {
        self.lists.get(&(name, value)).map(List::slots).unwrap_or_default()
    }

    /// The names of labels, unsorted.
    pub(super) fn names(&self) -> impl Iterator<Item = Symbol> + '_ {
        self.values.keys().copied()
    }

    /// The values of a name, unsorted.
    pub(super) fn values(&self, name: Symbol) -> &[Symbol] {
        self.values.get(&name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The slots, rising, of the series below `end` that satisfy all matchers. Slots of series that are gone may be among them.
    pub(super) fn select(&self, symbols: &Symbols, matchers: &[Matcher], end: Slot) -> Vec<Slot> {
        let mut found: Option<Vec<Slot>> = None;
        let (demanding, lenient): (Vec<&Matcher>, Vec<&Matcher>) =
            matchers.iter().partition(|matcher| !matcher.matches_empty());
        for matcher in demanding {
            let with = self.with(symbols, matcher, |value| matcher.matches(value));
            let slots = match found {
                Some(slots) => intersect(&slots, &with),
                None => with,
            };
            if slots.is_empty() {
                return slots;
            }
            found = Some(slots);
        }
        let mut found = found.unwrap_or_else(|| (0..end).collect());
        for matcher in lenient {
            // Series without the label satisfy it: take away those whose value does not.
            let without = self.with(symbols, matcher, |value| !matcher.matches(value));
            let mut without = without.iter().peekable();
            found.retain(|slot| {
                while without.next_if(|other| *other < slot).is_some() {}
                without.peek() != Some(&slot)
            });
        }
        found
    }

    /// The series that have a value for the matcher's label of which `wanted` approves.
    fn with(&self, symbols: &Symbols, matcher: &Matcher, wanted: impl Fn(&str) -> bool) -> Vec<Slot> {
        let Some(name) = symbols.find(matcher.name()) else {
            return Vec::new();
        };
        if matcher.op() == MatchOp::Equal && !matcher.matches_empty() {
            let value = symbols.find(matcher.value());
            return value.map(|value| self.list(name, value).to_vec()).unwrap_or_default();
        }
        let mut slots = Vec::new();
        for value in self.values(name) {
            if wanted(symbols.get(*value)) {
                slots.extend_from_slice(self.list(name, *value));
            }
        }
        slots.sort_unstable();
        slots
    }
}

/// What is in both; galloping through the longer.
fn intersect(left: &[Slot], right: &[Slot]) -> Vec<Slot> {
    let (short, mut long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let mut both = Vec::with_capacity(short.len());
    for slot in short {
        let mut step = 1;
        while long.get(step).is_some_and(|other| other < slot) {
            step *= 2;
        }
        let part = long.get(..long.len().min(step + 1)).unwrap_or_default();
        let skip = part.partition_point(|other| other < slot);
        long = long.get(skip..).unwrap_or_default();
        if long.first() == Some(slot) {
            both.push(*slot);
        }
    }
    both
}
