//! Columns that wait in memory: only the words of steps between the first and the last value are held, so that series which
//! live for a small part of a query cost as little as they have points.

use std::ops::Range;
use std::sync::Arc;

use prom_model::FloatHistogram;

use crate::Column;
use crate::column::histogram_bytes;

/// Steps in a word.
pub(in crate::exec) const WORD: usize = 64;

/// The values of a column from its first to its last.
#[derive(Debug, Clone, Default)]
pub(in crate::exec) struct Stretch {
    /// The word of steps at which it begins.
    first: usize,
    /// The steps that have a float.
    present: Vec<u64>,
    /// One place per step.
    floats: Vec<f64>,
    /// Empty as long as there is no histogram; then one place per step.
    histograms: Vec<Option<Arc<FloatHistogram>>>,
}

/// The steps of a column that have a value, a float or a histogram, as words.
pub(in crate::exec) fn occupied(column: &Column, words: &mut Vec<u64>) {
    words.clear();
    words.extend_from_slice(column.present().words());
    for (step, _) in column.histograms() {
        if let Some(word) = words.get_mut(step / WORD) {
            *word |= 1 << (step % WORD);
        }
    }
}

/// The steps of a word, ascending.
pub(in crate::exec) fn steps_of(at: usize, mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        (bit < WORD).then(|| {
            word &= word - 1;
            at * WORD + bit
        })
    })
}

impl Stretch {
    /// The words that are held.
    pub(in crate::exec) fn words(&self) -> Range<usize> {
        self.first..self.first + self.present.len()
    }

    /// The steps of a word that have a float.
    pub(in crate::exec) fn present(&self, word: usize) -> u64 {
        word.checked_sub(self.first).and_then(|at| self.present.get(at)).copied().unwrap_or(0)
    }

    /// The steps of a word that have a value.
    pub(in crate::exec) fn occupied(&self, word: usize) -> u64 {
        let mut occupied = self.present(word);
        if !self.histograms.is_empty()
            && let Some(start) = word.checked_sub(self.first).map(|at| at * WORD)
            && let Some(places) = self.histograms.get(start..start + WORD)
        {
            for (bit, _) in places.iter().enumerate().filter(|(_, place)| place.is_some()) {
                occupied |= 1 << bit;
            }
        }
        occupied
    }

    /// Whether there is a histogram at any step.
    pub(in crate::exec) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// The places of the floats; the first is that of the first step of [`Stretch::words`].
    pub(in crate::exec) fn floats(&self) -> &[f64] {
        &self.floats
    }

    /// The value at a step, where it is a float.
    pub(in crate::exec) fn float(&self, step: usize) -> f64 {
        self.slot(step).and_then(|slot| self.floats.get(slot)).copied().unwrap_or(0.0)
    }

    /// The value at a step, where it is a histogram.
    pub(in crate::exec) fn histogram(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        self.histograms.get(self.slot(step)?)?.as_ref()
    }

    fn slot(&self, step: usize) -> Option<usize> {
        step.checked_sub(self.first * WORD)
    }

    /// Whether a column has a value at a step that has one here too.
    pub(in crate::exec) fn meets(&self, column: &Column) -> bool {
        let mut words = Vec::new();
        occupied(column, &mut words);
        words.iter().enumerate().any(|(word, bits)| bits & self.occupied(word) != 0)
    }

    /// Takes in the values of a column at the steps where it has one.
    pub(in crate::exec) fn add(&mut self, column: &Column) {
        let mut words = Vec::new();
        occupied(column, &mut words);
        let used = |word: &u64| *word != 0;
        let (Some(from), Some(last)) = (words.iter().position(used), words.iter().rposition(used)) else {
            return;
        };
        self.cover(from..last + 1);
        for (word, floats) in column.floats().chunks(WORD).enumerate().take(last + 1).skip(from) {
            let bits = column.present().words().get(word).copied().unwrap_or(0);
            self.take_word(word, bits, floats);
        }
        for (step, histogram) in column.histograms() {
            self.set_histogram(step, Some(Arc::clone(histogram)));
        }
    }

    /// Takes in the floats of a word at these steps; `floats` are the places of the word.
    fn take_word(&mut self, word: usize, bits: u64, floats: &[f64]) {
        if bits == 0 {
            return;
        }
        let Some(at) = word.checked_sub(self.first) else { return };
        let (Some(present), Some(places)) =
            (self.present.get_mut(at), self.floats.get_mut(at * WORD..(at + 1) * WORD))
        else {
            return;
        };
        if *present == 0 {
            // Nothing there yet means anything.
            for (place, float) in places.iter_mut().zip(floats) {
                *place = *float;
            }
        } else {
            for ((bit, place), float) in places.iter_mut().enumerate().zip(floats) {
                if bits >> bit & 1 == 1 {
                    *place = *float;
                }
            }
        }
        *present |= bits;
    }

    /// Takes over the values of `column` at these steps of a word. The steps that have a value stay those that had one:
    /// what was written where is known to who does this.
    pub(in crate::exec) fn overwrite(&mut self, word: usize, bits: u64, column: &Column) {
        if bits == u64::MAX && !self.has_histograms() && !column.has_histograms() {
            let slots = self.slot(word * WORD).and_then(|slot| self.floats.get_mut(slot..slot + WORD));
            let floats = column.floats().get(word * WORD..(word + 1) * WORD);
            if let (Some(slots), Some(floats)) = (slots, floats) {
                slots.copy_from_slice(floats);
            }
            return;
        }
        for step in steps_of(word, bits) {
            let Some(slot) = self.slot(step) else { continue };
            let histogram = column.histogram(step);
            if !self.histograms.is_empty() || histogram.is_some() {
                if self.histogram(step).is_some()
                    && let Some(present) = self.present.get_mut(word - self.first)
                {
                    *present |= 1 << (step % WORD);
                }
                self.set_histogram(step, histogram.cloned());
            }
            if let (Some(place), Some(float)) = (self.floats.get_mut(slot), column.floats().get(step)) {
                *place = *float;
            }
        }
    }

    fn set_histogram(&mut self, step: usize, histogram: Option<Arc<FloatHistogram>>) {
        if self.histograms.is_empty() {
            self.histograms.resize(self.floats.len(), None);
        }
        if let Some(place) = self.slot(step).and_then(|slot| self.histograms.get_mut(slot)) {
            *place = histogram;
        }
    }

    /// Makes room for these words.
    pub(in crate::exec) fn cover(&mut self, words: Range<usize>) {
        if words.is_empty() {
            return;
        }
        if self.present.is_empty() {
            self.first = words.start;
            self.present = vec![0; words.len()];
            self.floats = vec![0.0; words.len() * WORD];
            return;
        }
        let held = self.words();
        let (first, end) = (held.start.min(words.start), held.end.max(words.end));
        if first < held.start {
            let before = held.start - first;
            self.present.splice(0..0, std::iter::repeat_n(0, before));
            self.floats.splice(0..0, std::iter::repeat_n(0.0, before * WORD));
            if !self.histograms.is_empty() {
                self.histograms.splice(0..0, std::iter::repeat_n(None, before * WORD));
            }
            self.first = first;
        }
        if end > held.end {
            self.present.resize(end - first, 0);
            self.floats.resize((end - first) * WORD, 0.0);
            if !self.histograms.is_empty() {
                self.histograms.resize((end - first) * WORD, None);
            }
        }
    }

    /// Takes in the values of another stretch, in place of those that are there.
    pub(in crate::exec) fn overlay(&mut self, other: &Stretch) {
        self.cover(other.words());
        for word in other.words() {
            for step in steps_of(word, other.occupied(word)) {
                let histogram = other.histogram(step);
                if !self.histograms.is_empty() || histogram.is_some() {
                    self.set_histogram(step, histogram.cloned());
                }
                let bit = 1 << (step % WORD);
                let float = histogram.is_none();
                if let Some(present) = self.present.get_mut(word - self.first) {
                    *present = if float { *present | bit } else { *present & !bit };
                }
                if let Some(place) = self.floats.get_mut(step - self.first * WORD) {
                    *place = other.float(step);
                }
            }
        }
    }

    /// The same float at the given steps.
    pub(in crate::exec) fn constant(value: f64, steps: Vec<u64>) -> Self {
        Stretch { first: 0, floats: vec![value; steps.len() * WORD], present: steps, histograms: Vec::new() }
    }

    /// Puts the values at the steps of `at`, which are among those held, into a column that has as many steps; all values
    /// where `at` is absent.
    pub(in crate::exec) fn expand(&self, at: Option<&[u64]>, column: &mut Column) {
        let steps = column.len();
        column.reset(steps);
        let wanted = |word: usize| match at {
            Some(at) => at.get(word).copied().unwrap_or(0),
            None => self.occupied(word),
        };
        let (places, present) = column.floats_mut();
        for (at, word) in self.words().enumerate() {
            if let Some(target) = present.words_mut().get_mut(word) {
                *target = wanted(word);
            }
            let held = self.floats.iter().skip(at * WORD).take(WORD);
            for (place, float) in places.iter_mut().skip(word * WORD).zip(held) {
                *place = *float;
            }
        }
        if self.histograms.is_empty() {
            return;
        }
        for word in self.words() {
            for step in steps_of(word, wanted(word)) {
                if let Some(histogram) = self.histogram(step) {
                    column.set_histogram(step, Arc::clone(histogram));
                }
            }
        }
    }

    /// Bytes held, about.
    pub(in crate::exec) fn bytes(&self) -> usize {
        let histograms: usize =
            self.histograms.iter().flatten().map(|histogram| histogram_bytes(histogram)).sum();
        (self.present.capacity() + self.floats.capacity() + self.histograms.capacity()) * 8 + histograms
    }
}
