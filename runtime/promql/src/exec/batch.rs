//! Evaluates the series of storage, a batch at a time, on all threads of a query, and gives the rows in their order.

use std::vec::IntoIter;

use crate::exec::Run;
use crate::stats::Tally;
use crate::{
    Annotations, Column, Control, Held, LabelSet, QueryError, Row, SampleReader, Samples, SeriesBatch,
    SeriesSet, Steps, Symbols,
};

/// What is done with the samples of one series. Threads share it.
pub(super) trait SeriesWork: Send + Sync {
    /// Puts the values at the steps into `out`, which has nothing at each step.
    fn evaluate(&self, series: &mut SeriesInput<'_>, out: &mut Column) -> Result<(), QueryError>;
}

/// One series, as a worker sees it.
pub(super) struct SeriesInput<'a> {
    /// Its samples, stale markers among them; the worker may change them.
    pub(super) samples: &'a mut Samples,
    /// Its labels.
    pub(super) labels: &'a [(crate::Symbol, crate::Symbol)],
    /// The texts of labels.
    pub(super) symbols: &'a Symbols,
    /// What is to be said.
    pub(super) annotations: &'a mut Annotations,
    /// Samples touched.
    pub(super) touched: &'a mut Tally,
    /// Where windows lie, known from the series before.
    pub(super) windows: &'a mut super::windows::Windows,
    /// Looked at in the middle of a series that takes long.
    pub(super) control: &'a Control,
}

/// Bytes of columns that a batch may fill; half of what a core's second cache holds.
const BATCH_BYTES: usize = 1 << 20;
/// Below so many values a thread costs more than it does.
const THREAD_VALUES_MIN: usize = 64 << 10;
/// To read a series and to find its place costs as much as so many values.
const SERIES_VALUES: usize = 256;
/// After so many values it is looked whether the query may go on.
const PIECE_VALUES: usize = 8 << 10;

/// The rows of a selection.
pub(super) struct Scan<W> {
    set: Box<dyn SeriesSet>,
    work: W,
    steps: Steps,
    batch_series: usize,
    ready: IntoIter<Row>,
    workers: Vec<Worker>,
    held: Held,
    /// The memory of storage: what it found, and the batch.
    held_by_storage: Held,
    /// The part of the plan for which samples are counted.
    part: usize,
    /// Values given away since it was looked last.
    given: usize,
    finished: bool,
}

/// What a thread keeps from batch to batch.
#[derive(Default)]
struct Worker {
    samples: Samples,
    spare: Vec<Column>,
    annotations: Annotations,
    touched: Tally,
    windows: super::windows::Windows,
}

impl<W: SeriesWork> Scan<W> {
    pub(super) fn new(set: Box<dyn SeriesSet>, work: W, steps: Steps, run: &Run) -> Self {
        let batch_series = (BATCH_BYTES / (steps.count * 8 + 256)).clamp(16, 2048);
        let mut workers = Vec::new();
        let part = run.tallies.current();
        workers.resize_with(run.options.workers.max(1), || Worker {
            touched: run.tallies.tally(part),
            ..Worker::default()
        });
        Scan {
            set,
            work,
            steps,
            batch_series,
            ready: Vec::new().into_iter(),
            workers,
            held: run.control.budget.hold("series being read"),
            held_by_storage: run.control.budget.hold("series that were found"),
            part,
            given: 0,
            finished: false,
        }
    }

    /// Puts the next series that has a value into `row`.
    pub(super) fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        loop {
            if let Some(next) = self.ready.next() {
                // What is done with a row may take longer than the row did.
                self.given += self.steps.count + SERIES_VALUES;
                if self.given >= PIECE_VALUES {
                    self.given = 0;
                    run.check()?;
                }
                let used = std::mem::replace(row, next);
                if let Some(worker) = self.workers.first_mut() {
                    worker.spare.push(used.column);
                }
                return Ok(true);
            }
            if self.finished {
                return Ok(false);
            }
            run.check()?;
            match self.set.next_batch(self.batch_series, &mut run.symbols)? {
                Some(batch) => {
                    self.held_by_storage.resize(self.set.bytes() + batch.bytes())?;
                    run.hold_symbols()?;
                    self.evaluate(batch.as_ref(), run)?;
                }
                None => {
                    self.finished = true;
                    run.storage_warnings(self.set.as_mut());
                }
            }
        }
    }

    fn evaluate(&mut self, batch: &dyn SeriesBatch, run: &mut Run) -> Result<(), QueryError> {
        let series = batch.len();
        run.stats.series += series as u64;
        let values = series.saturating_mul(self.steps.count + SERIES_VALUES);
        let threads = self.workers.len().min(values / THREAD_VALUES_MIN).max(1);
        // Columns go round: rows that were consumed give theirs back to the first worker.
        if threads > 1
            && let Some((first, others)) = self.workers.split_first_mut()
        {
            let share = first.spare.len() / threads;
            for other in others.iter_mut().take(threads - 1) {
                let at = first.spare.len() - share.min(first.spare.len());
                other.spare.append(&mut first.spare.split_off(at));
            }
        }
        let chunk = series.div_ceil(threads).max(1);
        let (work, symbols, steps) = (&self.work, &run.symbols, self.steps);
        let mut outcomes: Vec<Result<Vec<Row>, QueryError>> = Vec::with_capacity(threads);
        if threads == 1 {
            if let Some(worker) = self.workers.first_mut() {
                outcomes.push(worker.evaluate(work, batch, 0..series, symbols, steps, run));
            }
        } else {
            let run_now: &Run = run;
            std::thread::scope(|scope| {
                let mut shares = (0..series).step_by(chunk).map(|start| start..(start + chunk).min(series));
                let mut workers = self.workers.iter_mut();
                let own = (workers.next(), shares.next());
                let handles: Vec<_> = workers
                    .zip(shares)
                    .map(|(worker, share)| {
                        scope.spawn(move || worker.evaluate(work, batch, share, symbols, steps, run_now))
                    })
                    .collect();
                if let (Some(worker), Some(share)) = own {
                    outcomes.push(worker.evaluate(work, batch, share, symbols, steps, run_now));
                }
                for handle in handles {
                    outcomes.push(handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                }
            });
        }
        let mut rows = Vec::with_capacity(series);
        for outcome in outcomes {
            rows.append(&mut outcome?);
        }
        for worker in &mut self.workers {
            run.annotations.merge(std::mem::take(&mut worker.annotations));
            run.tallies.merge(self.part, &worker.touched);
            worker.touched = run.tallies.tally(self.part);
        }
        let read: usize = self.workers.iter().map(Worker::bytes).sum();
        self.held.resize(rows.iter().map(|row| row.column.bytes()).sum::<usize>() + read)?;
        self.ready = rows.into_iter();
        Ok(())
    }
}

impl Worker {
    /// Bytes that are kept for the next batch.
    fn bytes(&self) -> usize {
        self.samples.bytes() + self.windows.bytes() + self.spare.iter().map(Column::bytes).sum::<usize>()
    }

    fn evaluate(
        &mut self,
        work: &impl SeriesWork,
        batch: &dyn SeriesBatch,
        share: std::ops::Range<usize>,
        symbols: &Symbols,
        steps: Steps,
        run: &Run,
    ) -> Result<Vec<Row>, QueryError> {
        let mut reader: Box<dyn SampleReader + '_> = batch.reader();
        let mut rows = Vec::with_capacity(share.len());
        let mut done = 0;
        for at in share {
            if done >= PIECE_VALUES {
                done = 0;
                run.check()?;
            }
            self.samples.clear();
            reader.read(at, &mut self.samples)?;
            done += self.samples.timestamps.len() + steps.count + SERIES_VALUES;
            if self.samples.is_empty() {
                continue;
            }
            let mut column = self.spare.pop().unwrap_or_default();
            column.reset(steps.count);
            let mut series = SeriesInput {
                samples: &mut self.samples,
                labels: batch.labels(at),
                symbols,
                annotations: &mut self.annotations,
                touched: &mut self.touched,
                windows: &mut self.windows,
                control: &run.control,
            };
            work.evaluate(&mut series, &mut column)?;
            run.control.end()?;
            if column.is_empty() {
                self.spare.push(column);
                continue;
            }
            let mut labels = LabelSet::new();
            labels.assign(batch.labels(at));
            rows.push(Row { labels, drop_name: false, column });
        }
        Ok(rows)
    }
}
