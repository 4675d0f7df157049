//! How much work a query was, counted as Prometheus counts it.

use crate::exec::histogram_samples;
use crate::{Column, Steps};

/// Samples touched at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSamples {
    /// Milliseconds since the epoch.
    pub time: i64,
    /// Samples touched; a histogram counts as several, by its size.
    pub samples: u64,
}

/// Counts of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryStats {
    /// Samples touched in all, once per step that touches them (`totalQueryableSamples`).
    pub samples_total: u64,
    /// The same, per step (`totalQueryableSamplesPerStep`); empty unless asked for.
    pub samples_per_step: Vec<StepSamples>,
    /// Samples read in all; those that windows of two steps share count once (`samplesRead`).
    pub samples_read: u64,
    /// The same, per step (`samplesReadPerStep`); empty unless asked for.
    pub samples_read_per_step: Vec<StepSamples>,
    /// The most samples in flight at once (`peakSamples`). Fewer than in Prometheus, which holds what is streamed here.
    pub samples_peak: u64,
    /// Series read from storage.
    pub series: u64,
    /// The most bytes held at once.
    pub bytes_peak: u64,
}

/// Samples counted, at steps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    total: u64,
    read: u64,
    /// Empty where steps do not matter.
    per_step: Vec<u64>,
    read_per_step: Vec<u64>,
}

fn add(places: &mut [u64], step: usize, samples: u64) {
    if let Some(place) = places.get_mut(step) {
        *place += samples;
    }
}

impl Tally {
    /// Counts by steps, of which there are so many.
    fn by_steps(steps: usize) -> Self {
        Tally { per_step: vec![0; steps], read_per_step: vec![0; steps], ..Tally::default() }
    }

    /// Starts again from nothing, as `like` counts.
    fn like(like: &Tally) -> Self {
        Tally::by_steps(like.per_step.len())
    }

    fn merge(&mut self, other: &Tally) {
        self.total += other.total;
        self.read += other.read;
        for (places, others) in
            [(&mut self.per_step, &other.per_step), (&mut self.read_per_step, &other.read_per_step)]
        {
            for (place, other) in places.iter_mut().zip(others) {
                *place += other;
            }
        }
    }

    /// Whether steps matter.
    pub(crate) fn has_steps(&self) -> bool {
        !self.per_step.is_empty()
    }

    /// Counts samples of a step: those touched, and those of them that the step before did not touch.
    pub(crate) fn add(&mut self, step: usize, touched: u64, read: u64) {
        self.total += touched;
        self.read += read;
        add(&mut self.per_step, step, touched);
        add(&mut self.read_per_step, step, read);
    }

    /// Counts the values of a column, each of which is a sample.
    pub(crate) fn add_column(&mut self, column: &Column) {
        if self.per_step.is_empty() && !column.has_histograms() {
            let samples = column.present().count() as u64;
            self.total += samples;
            self.read += samples;
            return;
        }
        for step in column.present().iter() {
            self.add(step, 1, 1);
        }
        for (step, histogram) in column.histograms() {
            let samples = histogram_samples(histogram);
            self.add(step, samples, samples);
        }
    }
}

/// What the samples below a node count for.
#[derive(Debug, Clone, Copy)]
enum Scope {
    /// For the steps of the query.
    Query,
    /// For the same steps, so many times: they stand below a node that is evaluated once for several places.
    Shared(u64),
    /// For each step: they stand below a node that is evaluated once.
    Once,
    /// As read only; the values of a subquery are counted where they are used.
    Subquery {
        steps: Steps,
        /// The offset of the subquery, and the range that is used of it at each step.
        offset: i64,
        range: i64,
    },
}

/// Counts of the parts of a plan.
#[derive(Debug)]
pub(crate) struct Tallies {
    scopes: Vec<(Scope, usize, Tally)>,
    steps: Vec<Steps>,
    /// The part that is being prepared.
    current: usize,
}

impl Tallies {
    /// Counts for a query with these steps; per step if that is wanted.
    pub(crate) fn new(steps: Steps, per_step: bool) -> Self {
        let tally = Tally::by_steps(if per_step { steps.count } else { 0 });
        Tallies { scopes: vec![(Scope::Query, 0, tally)], steps: vec![steps], current: 0 }
    }

    /// The part that whoever is being prepared belongs to.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    /// A tally of nothing, for a part.
    pub(crate) fn tally(&self, part: usize) -> Tally {
        self.scopes.get(part).map(|(_, _, tally)| Tally::like(tally)).unwrap_or_default()
    }

    /// Takes in what was counted for a part.
    pub(crate) fn merge(&mut self, part: usize, tally: &Tally) {
        if let Some((_, _, own)) = self.scopes.get_mut(part) {
            own.merge(tally);
        }
    }

    fn enter(&mut self, scope: Scope, steps: Steps, tally: Tally) -> usize {
        let above = self.current;
        self.current = self.scopes.len();
        self.scopes.push((scope, above, tally));
        self.steps.push(steps);
        above
    }

    /// What is prepared from now on is evaluated once for all steps. Gives what [`Tallies::leave`] takes.
    pub(crate) fn enter_once(&mut self, step: Steps) -> usize {
        self.enter(Scope::Once, step, Tally::default())
    }

    /// What is prepared from now on is evaluated once for so many places.
    pub(crate) fn enter_shared(&mut self, places: u64) -> usize {
        let steps = self.steps.get(self.current).copied().unwrap_or(Steps::instant(0));
        self.enter(Scope::Shared(places), steps, self.tally(self.current))
    }

    /// What is prepared from now on is the inside of a subquery.
    pub(crate) fn enter_subquery(&mut self, steps: Steps, offset: i64, range: i64) -> usize {
        self.enter(Scope::Subquery { steps, offset, range }, steps, Tally::by_steps(steps.count))
    }

    /// Back to the part above.
    pub(crate) fn leave(&mut self, above: usize) {
        self.current = above;
    }

    /// All counts together.
    pub(crate) fn finish(mut self, stats: &mut QueryStats) {
        while self.scopes.len() > 1 {
            let (Some((scope, above, tally)), Some(_)) = (self.scopes.pop(), self.steps.pop()) else { break };
            let (Some((_, _, target)), Some(steps)) = (self.scopes.get_mut(above), self.steps.get(above))
            else {
                break;
            };
            match scope {
                Scope::Query => target.merge(&tally),
                Scope::Shared(places) => (0..places).for_each(|_| target.merge(&tally)),
                Scope::Once => {
                    for step in 0..steps.count {
                        target.add(step, tally.total, if step == 0 { tally.read } else { 0 });
                    }
                }
                Scope::Subquery { steps: inner, offset, range } => {
                    for (time, read) in inner.times().zip(&tally.read_per_step) {
                        if let Some(step) = step_of(time.saturating_add(offset), *steps, range) {
                            target.add(step, 0, *read);
                        }
                    }
                }
            }
        }
        let Some((_, _, tally)) = self.scopes.pop() else { return };
        let Some(steps) = self.steps.first() else { return };
        let at_times = |counts: &[u64]| {
            counts.iter().zip(steps.times()).map(|(&samples, time)| StepSamples { time, samples }).collect()
        };
        stats.samples_total = tally.total;
        stats.samples_per_step = at_times(&tally.per_step);
        stats.samples_read = tally.read;
        stats.samples_read_per_step = at_times(&tally.read_per_step);
    }
}

/// The step that uses a value of a subquery first; none where it lies between the ranges of two steps.
fn step_of(time: i64, steps: Steps, range: i64) -> Option<usize> {
    if steps.count <= 1 {
        return Some(0);
    }
    let after = time.saturating_sub(steps.start).max(0);
    let step = usize::try_from((after + steps.interval - 1) / steps.interval).unwrap_or(usize::MAX);
    let step = step.min(steps.count - 1);
    let unused = range > 0 && time <= steps.time(step).saturating_sub(range);
    (!unused).then_some(step)
}
