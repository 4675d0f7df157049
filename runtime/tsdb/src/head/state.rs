//! What a head holds in memory; behind one lock.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet, HashTable};

use crate::wal::Wal;
use crate::wal::record::{RefFloatHistogram, RefHistogram, RefSample, SeriesRef};

use super::append::AppendError;
use super::chunk_files::{ChunkFiles, HeadChunk};
use super::exemplars::{Exemplar, Exemplars};
use super::out_of_order::Value;
use super::pages::Pages;
use super::postings::{Postings, Slot};
use super::series::{Kind, Place, Series};
use super::symbols::Symbols;

/// Samples of one batch that are logged and applied in this order: floats, histograms, float histograms. A series has samples
/// of one kind only in a group, so that none is applied before an older one.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) floats: Vec<(Slot, RefSample)>,
    pub(super) histograms: Vec<(Slot, RefHistogram)>,
    pub(super) float_histograms: Vec<(Slot, RefFloatHistogram)>,
}

impl Group {
    pub(super) const fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty() && self.float_histograms.is_empty()
    }

    fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
        self.float_histograms.clear();
    }
}

/// A batch that is being built.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// Complete groups, then the one that grows.
    pub(super) groups: Vec<Group>,
    pub(super) current: Group,
    pub(super) out_of_order: Vec<(Slot, i64, Value)>,
    pub(super) exemplars: Vec<Exemplar>,
    pub(super) metadata: Vec<Slot>,
}

impl Staged {
    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.current.clear();
        self.out_of_order.clear();
        self.exemplars.clear();
        self.metadata.clear();
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) symbols: Symbols,
    pub(super) postings: Postings,
    /// By slot; the places of series that are gone stay empty until all slots are given anew.
    pub(super) series: Pages<Option<Series>>,
    pub(super) live: usize,
    by_labels: HashTable<Slot>,
    by_ref: HashMap<SeriesRef, Slot, FixedState>,
    hasher: FixedState,
    /// The largest reference that was ever given or seen.
    pub(super) last_ref: u64,
    /// The oldest and newest in-order sample; `i64::MAX` and `i64::MIN` where there is none.
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    /// The oldest and newest out-of-order sample, likewise.
    pub(super) out_of_order_min: i64,
    pub(super) out_of_order_max: i64,
    /// In-order samples before this time are in blocks.
    pub(super) min_valid_time: i64,
    pub(super) exemplars: Exemplars,
    pub(super) wal: Option<Wal>,
    pub(super) wbl: Option<Wal>,
    pub(super) chunk_files: Option<ChunkFiles>,
    /// Series that are not in the log yet.
    pub(super) unlogged: Vec<Slot>,
    /// Series with complete chunks that are not on disk yet.
    pub(super) unstored: Vec<Slot>,
    pub(super) staged: Staged,
    /// The number of the group that grows.
    pub(super) group: u32,
    /// Series that are gone or have another reference now, and until which time the log may name them.
    pub(super) retained: HashMap<SeriesRef, i64, FixedState>,
    pub(super) chunk_write_failures: u64,
}

impl State {
    pub(super) fn new(exemplars: usize) -> Self {
        State {
            symbols: Symbols::default(),
            postings: Postings::default(),
            series: Pages::default(),
            live: 0,
            by_labels: HashTable::new(),
            by_ref: HashMap::default(),
            hasher: FixedState::default(),
            last_ref: 0,
            min_time: i64::MAX,
            max_time: i64::MIN,
            out_of_order_min: i64::MAX,
            out_of_order_max: i64::MIN,
            min_valid_time: i64::MIN,
            exemplars: Exemplars::new(exemplars),
            wal: None,
            wbl: None,
            chunk_files: None,
            unlogged: Vec::new(),
            unstored: Vec::new(),
            staged: Staged::default(),
            group: 0,
            retained: HashMap::default(),
            chunk_write_failures: 0,
        }
    }

    #[inline]
    pub(super) fn slot(&self, series: SeriesRef) -> Option<Slot> {
        self.by_ref.get(&series).copied()
    }

    pub(super) fn series(&self, slot: Slot) -> Option<&Series> {
        self.series.get(slot)?.as_ref()
    }

    pub(super) fn series_mut(&mut self, slot: Slot) -> Option<&mut Series> {
        self.series.get_mut(slot)?.as_mut()
    }

    fn hash(&self, labels: &[(&str, &str)]) -> u64 {
        self.hasher.hash_one(labels)
    }

    /// The series with these labels, which are sorted and without empty values.
    pub(super) fn find(&self, labels: &[(&str, &str)]) -> Option<Slot> {
        let same = |slot: &Slot| {
            self.series(*slot).is_some_and(|series| {
                series.labels.len() == labels.len()
                    && series.labels.iter().zip(labels).all(|((name, value), label)| {
                        self.symbols.get(*value) == label.1 && self.symbols.get(*name) == label.0
                    })
            })
        };
        self.by_labels.find(self.hash(labels), same).copied()
    }

    /// Makes the series with these labels, which are sorted, without empty values, and not there yet.
    pub(super) fn create(
        &mut self,
        labels: &[(&str, &str)],
        reference: SeriesRef,
    ) -> Result<Slot, AppendError> {
        let slot = Slot::try_from(self.series.len()).map_err(|_| AppendError::TooManySeries)?;
        let mut interned = Vec::with_capacity(labels.len());
        for (name, value) in labels {
            match (self.symbols.intern(name), self.symbols.intern(value)) {
                (Some(name), Some(value)) => interned.push((name, value)),
                _ => return Err(AppendError::TooManySeries),
            }
        }
        let hash = self.hash(labels);
        self.postings.add(slot, &interned);
        self.series.push(Some(Series::new(reference, hash, interned.into())));
        self.live += 1;
        let State { by_labels, series, .. } = self;
        let hash_of = |slot: &Slot| {
            series.get(*slot).and_then(Option::as_ref).map(|series| series.hash).unwrap_or_default()
        };
        by_labels.insert_unique(hash, slot, hash_of);
        self.by_ref.insert(reference, slot);
        self.last_ref = self.last_ref.max(reference.0);
        Ok(slot)
    }

    /// Takes a series away.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Series> {
        let series = self.series.get_mut(slot)?.take()?;
        self.live -= 1;
        self.by_ref.remove(&series.reference);
        if let Ok(entry) = self.by_labels.find_entry(series.hash, |other| *other == slot) {
            entry.remove();
        }
        Some(series)
    }

    /// Gives all slots anew, and forgets text that no series has any more.
    pub(super) fn rebuild(&mut self) {
        let old = std::mem::take(&mut self.series);
        let symbols = std::mem::take(&mut self.symbols);
        (self.postings, self.live) = (Postings::default(), 0);
        self.by_labels = HashTable::with_capacity(old.len());
        self.by_ref = HashMap::default();
        let set = |slots: &[Slot]| slots.iter().copied().collect::<HashSet<Slot, FixedState>>();
        let waiting = [set(&self.unlogged), set(&self.unstored)];
        let (mut unlogged, mut unstored) = (Vec::new(), Vec::new());
        for (old_slot, series) in old.into_values().enumerate() {
            let Some(mut series) = series else {
                continue;
            };
            let labels: Vec<(&str, &str)> =
                series.labels.iter().map(|(name, value)| (symbols.get(*name), symbols.get(*value))).collect();
            let Ok(slot) = self.create(&labels, series.reference) else {
                continue;
            };
            for (before, after) in waiting.iter().zip([&mut unlogged, &mut unstored]) {
                if before.contains(&(old_slot as Slot)) {
                    after.push(slot);
                }
            }
            if let Some(place) = self.series.get_mut(slot).and_then(Option::as_mut) {
                series.labels = std::mem::take(&mut place.labels);
                *place = series;
            }
        }
        (self.unlogged, self.unstored) = (unlogged, unstored);
    }

    /// The label pairs of a series as text.
    pub(super) fn labels<'a>(
        &'a self,
        series: &'a Series,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        series.labels.iter().map(|(name, value)| (self.symbols.get(*name), self.symbols.get(*value)))
    }

    /// The group for a sample of this kind: a new one where the series has one of another kind in the current.
    pub(super) fn group_for(&mut self, slot: Slot, kind: Kind) -> &mut Group {
        let group = self.group;
        if let Some(series) = self.series_mut(slot)
            && series.group == group
            && series.last_kind != kind
        {
            let complete = std::mem::take(&mut self.staged.current);
            self.staged.groups.push(complete);
            self.group = self.group.wrapping_add(1);
        }
        let group = self.group;
        if let Some(series) = self.series_mut(slot) {
            series.group = group;
        }
        &mut self.staged.current
    }

    /// Whether the batch under way has no in-order samples.
    pub(super) const fn staged_is_empty(&self) -> bool {
        self.staged.groups.is_empty() && self.staged.current.is_empty()
    }

    pub(super) fn note_in_order(&mut self, timestamp: i64) {
        self.min_time = self.min_time.min(timestamp);
        self.max_time = self.max_time.max(timestamp);
    }

    pub(super) fn note_out_of_order(&mut self, timestamp: i64) {
        self.out_of_order_min = self.out_of_order_min.min(timestamp);
        self.out_of_order_max = self.out_of_order_max.max(timestamp);
    }

    /// Writes complete chunks to the head chunk files. What cannot be written stays in memory and is tried again next time.
    pub(super) fn store_chunks(&mut self) {
        if self.unstored.is_empty() || self.chunk_files.is_none() {
            return;
        }
        let mut slots = std::mem::take(&mut self.unstored);
        slots.sort_unstable();
        slots.dedup();
        let State { series, chunk_files: Some(files), .. } = self else {
            return;
        };
        let mut chunks = Vec::new();
        for slot in &slots {
            let Some(series) = series.get(*slot).and_then(Option::as_ref) else {
                continue;
            };
            let in_order = series.closed.iter().map(|chunk| (chunk, false));
            let others =
                series.out_of_order.iter().flat_map(|other| &other.closed).map(|chunk| (chunk, true));
            for (chunk, out_of_order) in in_order.chain(others) {
                if let Place::Memory(data) = &chunk.place {
                    chunks.push(HeadChunk {
                        series: series.reference,
                        min_time: chunk.min_time,
                        max_time: chunk.max_time,
                        encoding: chunk.encoding.as_u8(),
                        out_of_order,
                        data,
                    });
                }
            }
        }
        let Ok(places) = files.write(&chunks) else {
            self.chunk_write_failures += 1;
            self.unstored = slots;
            return;
        };
        let mut places = places.into_iter();
        for slot in slots {
            let Some(series) = self.series_mut(slot) else {
                continue;
            };
            let others = series.out_of_order.iter_mut().flat_map(|other| &mut other.closed);
            for chunk in series.closed.iter_mut().chain(others) {
                if let Place::Memory(_) = chunk.place
                    && let Some(place) = places.next()
                {
                    chunk.place = Place::File(place);
                }
            }
        }
    }
}
