//! The values of one series at the steps of a query.

use std::sync::Arc;

use prom_model::FloatHistogram;

/// The times at which an expression is evaluated: `start`, `start + interval`, …; `count` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Steps {
    /// The first, milliseconds since the epoch.
    pub start: i64,
    /// The distance between two, milliseconds, above 0.
    pub interval: i64,
    /// How many there are.
    pub count: usize,
}

impl Steps {
    /// The steps from `start` to at most `end`; none where the end lies before the start.
    pub fn new(start: i64, end: i64, interval: i64) -> Self {
        let interval = interval.max(1);
        let count = if end < start { 0 } else { end.abs_diff(start) / interval.unsigned_abs() + 1 };
        Steps { start, interval, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }

    /// A single step.
    pub const fn instant(time: i64) -> Self {
        Steps { start: time, interval: 1, count: 1 }
    }

    /// The time of a step.
    pub const fn time(&self, step: usize) -> i64 {
        self.start.saturating_add(self.interval.saturating_mul(step as i64))
    }

    /// The time of the last step; that of the first where there are none.
    pub const fn end(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    /// The times of all steps.
    pub fn times(&self) -> impl ExactSizeIterator<Item = i64> + use<> {
        let steps = *self;
        (0..self.count).map(move |step| steps.time(step))
    }
}

/// A set of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// An empty set of so many steps.
    pub fn new(len: usize) -> Self {
        Bits { words: vec![0; len.div_ceil(64)], len }
    }

    /// Empties the set; it has so many steps from now on.
    pub fn reset(&mut self, len: usize) {
        self.words.clear();
        self.words.resize(len.div_ceil(64), 0);
        self.len = len;
    }

    /// Puts all steps into the set.
    pub fn fill(&mut self) {
        self.words.fill(u64::MAX);
        if let Some(last) = self.words.last_mut()
            && !self.len.is_multiple_of(64)
        {
            *last = (1 << (self.len % 64)) - 1;
        }
    }

    /// Whether the step is in the set.
    pub fn get(&self, step: usize) -> bool {
        self.words.get(step / 64).is_some_and(|word| word >> (step % 64) & 1 == 1)
    }

    /// Adds a step.
    pub fn insert(&mut self, step: usize) {
        if let Some(word) = self.words.get_mut(step / 64) {
            *word |= 1 << (step % 64);
        }
    }

    /// Adds so many steps from one on.
    pub(crate) fn insert_all(&mut self, first: usize, steps: usize) {
        let end = first.saturating_add(steps).min(self.len);
        let mut at = first;
        while at < end {
            let (bit, until) = (at % 64, (at / 64 + 1) * 64);
            let wanted = until.min(end) - at;
            let bits = if wanted == 64 { u64::MAX } else { ((1 << wanted) - 1) << bit };
            if let Some(word) = self.words.get_mut(at / 64) {
                *word |= bits;
            }
            at = until;
        }
    }

    /// Removes a step.
    pub fn remove(&mut self, step: usize) {
        if let Some(word) = self.words.get_mut(step / 64) {
            *word &= !(1 << (step % 64));
        }
    }

    /// How many steps are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no step is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether all steps are in the set.
    pub fn is_full(&self) -> bool {
        self.count() == self.len
    }

    /// The set as words of 64 steps, the lowest bit first.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The set as words of 64 steps, to be changed; bits beyond the steps stay 0.
    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// The last step in the set.
    fn last(&self) -> Option<usize> {
        let (at, word) = self.words.iter().enumerate().rfind(|(_, word)| **word != 0)?;
        Some(at * 64 + 63 - word.leading_zeros() as usize)
    }

    /// The steps in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                (bit < 64).then(|| {
                    rest &= rest - 1;
                    at * 64 + bit as usize
                })
            })
        })
    }
}

/// The value of a series at one step.
#[derive(Debug, Clone, Copy)]
pub enum Point<'c> {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(&'c Arc<FloatHistogram>),
}

/// The values of one series: at each step a float, a histogram or nothing.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// The first step that has a place; 0 unless the column was trimmed.
    first: usize,
    floats: Vec<f64>,
    present: Bits,
    /// Empty as long as there is no histogram; then as many places as there are for floats.
    histograms: Vec<Option<Arc<FloatHistogram>>>,
}

impl Column {
    /// Nothing at each of so many steps.
    pub fn new(steps: usize) -> Self {
        let mut column = Column::default();
        column.reset(steps);
        column
    }

    /// Nothing at each of so many steps, in the memory that was held already.
    pub fn reset(&mut self, steps: usize) {
        self.first = 0;
        self.floats.clear();
        self.floats.resize(steps, 0.0);
        self.present.reset(steps);
        self.histograms.clear();
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.present.len
    }

    /// The place of a step.
    fn place(&self, step: usize) -> usize {
        step.wrapping_sub(self.first)
    }

    /// Whether there is nothing at any step.
    pub fn is_empty(&self) -> bool {
        self.present.is_empty() && !self.has_histograms()
    }

    /// Whether there is a histogram at any step.
    pub fn has_histograms(&self) -> bool {
        self.histograms.iter().any(Option::is_some)
    }

    /// At how many steps there is something.
    pub fn count(&self) -> usize {
        self.present.count() + self.histograms.iter().flatten().count()
    }

    /// The value at a step.
    pub fn get(&self, step: usize) -> Option<Point<'_>> {
        match self.float(step) {
            Some(value) => Some(Point::Float(value)),
            None => self.histogram(step).map(Point::Histogram),
        }
    }

    /// The float at a step.
    pub fn float(&self, step: usize) -> Option<f64> {
        if self.present.get(step) { self.floats.get(self.place(step)).copied() } else { None }
    }

    /// The histogram at a step.
    pub fn histogram(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        self.histograms.get(self.place(step)).and_then(Option::as_ref)
    }

    /// Puts a float at a step, in place of what was there.
    pub fn set_float(&mut self, step: usize, value: f64) {
        self.untrim();
        if let Some(slot) = self.floats.get_mut(step) {
            *slot = value;
            self.present.insert(step);
        }
        if let Some(slot) = self.histograms.get_mut(step) {
            *slot = None;
        }
    }

    /// Puts a histogram at a step, in place of what was there.
    pub fn set_histogram(&mut self, step: usize, histogram: Arc<FloatHistogram>) {
        self.untrim();
        if self.histograms.is_empty() {
            self.histograms.resize(self.floats.len(), None);
        }
        if let Some(slot) = self.histograms.get_mut(step) {
            *slot = Some(histogram);
            self.present.remove(step);
        }
    }

    /// Removes what is at a step.
    pub fn clear(&mut self, step: usize) {
        self.present.remove(step);
        let place = self.place(step);
        if let Some(slot) = self.histograms.get_mut(place) {
            *slot = None;
        }
    }

    /// Removes all histograms.
    pub fn drop_histograms(&mut self) {
        self.histograms.clear();
    }

    /// Copies the value at a step of another column, also its absence.
    pub fn copy_from(&mut self, step: usize, other: &Column, other_step: usize) {
        match other.get(other_step) {
            Some(Point::Float(value)) => self.set_float(step, value),
            Some(Point::Histogram(histogram)) => self.set_histogram(step, Arc::clone(histogram)),
            None => self.clear(step),
        }
    }

    /// The places of the floats, one per step; what stands where [`Column::present`] has no step means nothing. Of a column
    /// that was trimmed some steps have no place; see [`Column::float_points`].
    pub fn floats(&self) -> &[f64] {
        &self.floats
    }

    /// The steps from `from` on that have a float, with it, ascending.
    pub fn float_points(&self, from: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let from = from.max(self.first);
        let places = self.floats.iter().enumerate().skip(from - self.first);
        places.filter_map(|(place, value)| {
            let step = place + self.first;
            self.present.get(step).then_some((step, *value))
        })
    }

    /// Gives back the memory of the steps before the first and after the last value, if that is a good part.
    pub(crate) fn trim(&mut self) {
        let held =
            self.histograms.iter().enumerate().filter(|(_, slot)| slot.is_some()).map(|(step, _)| step);
        let (mut first, mut last) = (usize::MAX, 0);
        for step in held.chain(self.present.iter().next()).chain(self.present.last()) {
            (first, last) = (first.min(step), last.max(step));
        }
        if first > last || self.first > 0 || (last - first + 1) * 4 > self.floats.len() * 3 {
            return;
        }
        self.floats = self.floats.get(first..=last).unwrap_or_default().to_vec();
        self.histograms = self.histograms.get(first..=last).unwrap_or_default().to_vec();
        self.first = first;
    }

    /// Gives each step a place again.
    fn untrim(&mut self) {
        let steps = self.present.len;
        if self.floats.len() == steps {
            return;
        }
        let (before, after) = (self.first, steps.saturating_sub(self.first + self.floats.len()));
        self.floats.splice(0..0, std::iter::repeat_n(0.0, before));
        self.floats.extend(std::iter::repeat_n(0.0, after));
        if !self.histograms.is_empty() {
            self.histograms.splice(0..0, std::iter::repeat_n(None, before));
            self.histograms.extend(std::iter::repeat_n(None, after));
        }
        self.first = 0;
    }

    /// The places of the floats and the set of steps that have one, to be changed together. Who adds a step must see to
    /// it that no histogram is there.
    pub fn floats_mut(&mut self) -> (&mut [f64], &mut Bits) {
        self.untrim();
        (&mut self.floats, &mut self.present)
    }

    /// The steps that have a float.
    pub fn present(&self) -> &Bits {
        &self.present
    }

    /// The steps that have a histogram, with it, ascending.
    pub fn histograms(&self) -> impl Iterator<Item = (usize, &Arc<FloatHistogram>)> {
        let places = self.histograms.iter().enumerate();
        places.filter_map(|(place, slot)| Some((place + self.first, slot.as_ref()?)))
    }

    /// The steps that have something, with it, ascending.
    pub fn points(&self) -> impl Iterator<Item = (usize, Point<'_>)> {
        (0..self.len()).filter_map(|step| Some((step, self.get(step)?)))
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let histograms: usize =
            self.histograms.iter().flatten().map(|histogram| histogram_bytes(histogram)).sum();
        self.floats.capacity() * 8
            + self.present.words.capacity() * 8
            + self.histograms.capacity() * size_of::<usize>()
            + histograms
    }
}

/// Bytes that a histogram holds, about.
pub(crate) fn histogram_bytes(histogram: &FloatHistogram) -> usize {
    size_of::<FloatHistogram>()
        + (histogram.positive_buckets.len()
            + histogram.negative_buckets.len()
            + histogram.custom_values.len())
            * 8
        + (histogram.positive_spans.len() + histogram.negative_spans.len()) * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_reach_to_the_end_and_not_beyond() {
        assert_eq!(Steps::new(0, 95, 30), Steps { start: 0, interval: 30, count: 4 });
        assert_eq!(Steps::new(0, 90, 30).end(), 90);
        assert_eq!(Steps::new(5, 4, 30).count, 0);
        assert_eq!(Steps::new(5, 5, 0).times().collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn a_step_has_one_value() {
        let mut column = Column::new(70);
        column.set_float(66, 1.0);
        column.set_histogram(66, Arc::default());
        column.set_histogram(2, Arc::default());
        column.set_float(2, 7.0);
        let kinds: Vec<(usize, bool)> =
            column.points().map(|(step, point)| (step, matches!(point, Point::Float(_)))).collect();
        assert_eq!(kinds, [(2, true), (66, false)]);
        assert_eq!(column.count(), 2);
        column.clear(66);
        assert!(!column.has_histograms() && !column.is_empty());
        assert_eq!(column.present().iter().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_trimmed_column_has_the_same_values_in_less_memory() {
        let mut column = Column::new(1_000);
        for step in 300..310 {
            column.set_float(step, step as f64);
        }
        column.clear(305);
        column.set_histogram(305, Arc::default());
        let (before, full) = (column.bytes(), column.clone());
        column.trim();
        assert!(column.bytes() * 4 < before);
        assert_eq!((column.len(), column.count()), (1_000, 10));
        assert_eq!(column.floats().len(), 10);
        for step in [0, 299, 300, 305, 309, 310, 999] {
            assert_eq!(column.float(step), full.float(step));
            assert_eq!(column.histogram(step), full.histogram(step));
        }
        let from: Vec<usize> = column.float_points(304).map(|(step, _)| step).collect();
        assert_eq!(from, [304, 306, 307, 308, 309]);
        column.set_float(0, 7.0);
        assert_eq!(
            (column.floats().len(), column.float(308), column.float(0)),
            (1_000, Some(308.0), Some(7.0))
        );
        assert!(column.histogram(305).is_some());
    }

    #[test]
    fn steps_in_a_row_are_added_at_once() {
        for (first, steps) in [(0, 0), (0, 64), (3, 5), (60, 9), (63, 130), (190, 100)] {
            let mut bits = Bits::new(200);
            bits.insert(1);
            bits.insert_all(first, steps);
            let expected: Vec<usize> =
                (0..200).filter(|at| *at == 1 || (first..first + steps).contains(at)).collect();
            assert_eq!(bits.iter().collect::<Vec<_>>(), expected, "{steps} from {first}");
        }
    }

    #[test]
    fn a_full_set_has_no_bits_beyond_its_end() {
        let mut bits = Bits::new(70);
        bits.fill();
        assert!(bits.is_full());
        assert_eq!((bits.count(), bits.iter().last()), (70, Some(69)));
    }
}
