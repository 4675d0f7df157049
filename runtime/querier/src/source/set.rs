//! The series of a selection as they arrive.

use std::mem::take;

use budget::Held;
use promql::{Projection, SeriesBatch, SeriesSet, SourceError, Symbols};
use query::Merging;
use storeapi::Series;
use tokio::sync::mpsc::Receiver;

use super::batch::Batch;
use super::call::Arrived;
use super::names::Names;

/// Selected series. Those with the same labels, which follow each other, are one.
pub(super) struct Selected {
    arriving: Receiver<Result<Arrived, SourceError>>,
    /// Of the frame that was received last, what was not given yet.
    waiting: std::vec::IntoIter<Series>,
    /// The memory of that frame.
    held: Option<Held>,
    /// A series that the next may belong to.
    begun: Option<Series>,
    names: Names,
    merging: Merging,
    warnings: Vec<String>,
    failed: bool,
}

impl Selected {
    pub(super) fn new(
        arriving: Receiver<Result<Arrived, SourceError>>,
        merging: Merging,
        projection: Projection,
    ) -> Self {
        Selected {
            arriving,
            waiting: Vec::new().into_iter(),
            held: None,
            begun: None,
            names: Names::new(projection),
            merging,
            warnings: Vec::new(),
            failed: false,
        }
    }

    /// The next series as it came; memory goes to `batch`.
    fn receive(&mut self, batch: &mut Batch) -> Result<Option<Series>, SourceError> {
        loop {
            if let Some(series) = self.waiting.next() {
                return Ok(Some(series));
            }
            batch.hold(self.held.take());
            match self.arriving.blocking_recv() {
                None => return Ok(None),
                Some(Err(error)) => {
                    self.failed = true;
                    return Err(error);
                }
                Some(Ok(Arrived::Warning(text))) => self.warnings.push(text),
                Some(Ok(Arrived::Series(series, held, room))) => {
                    drop(room);
                    self.waiting = series.into_iter();
                    self.held = Some(held);
                }
            }
        }
    }

    fn fill(&mut self, most: usize, batch: &mut Batch, symbols: &mut Symbols) -> Result<(), SourceError> {
        while batch.series() < most {
            let Some(mut series) = (match self.begun.take() {
                Some(begun) => Some(begun),
                None => self.receive(batch)?,
            }) else {
                return Ok(());
            };
            let mut split = false;
            while let Some(next) = self.receive(batch)? {
                if next.labels != series.labels {
                    self.begun = Some(next);
                    break;
                }
                split = true;
                series.chunks.extend(next.chunks);
            }
            if split {
                series.chunks.sort_by_key(|chunk| (chunk.min_time, chunk.max_time));
                series.chunks.dedup();
            }
            batch.push(series, &mut self.names, symbols);
        }
        Ok(())
    }
}

impl SeriesSet for Selected {
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError> {
        if self.failed {
            return Ok(None);
        }
        let mut batch = Batch::new(self.merging);
        self.fill(most, &mut batch, symbols)?;
        Ok(if batch.series() == 0 { None } else { Some(Box::new(batch)) })
    }

    fn warnings(&mut self) -> Vec<String> {
        take(&mut self.warnings)
    }
}
