//! Splices a streamed remote read through: frames come in, series go out, chunks stay where they are.

use std::pin::Pin;

use budget::Held;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use reqwest::Response;
use storeapi::{Series, SeriesFrame, Shard};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::client::line;
use super::frames::Frames as Cutter;
use super::metrics::PrometheusStoreMetrics;
use super::order::Reorder;
use super::relabel::Relabel;
use crate::{BATCH, Context, Frames};

/// A batch is sent when its series take so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// The budget is asked in steps of so many bytes.
const HELD_STEP: usize = 1 << 16;

/// How series go out.
pub(super) struct Outgoing {
    pub(super) relabel: Relabel,
    /// See [`Reorder`].
    pub(super) first: Option<Bytes>,
    pub(super) shard: Option<Shard>,
}

type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

struct Splice {
    body: Body,
    cutter: Cutter,
    relabel: Relabel,
    shard: Option<Shard>,
    order: Reorder,
    held: Held,
    batch: Vec<Series>,
    batch_bytes: usize,
    /// Many series that became ready at once and go before the batch.
    crowd: std::vec::IntoIter<Series>,
    frames: u64,
    state: State,
    cancel: CancellationToken,
    metrics: PrometheusStoreMetrics,
}

enum State {
    Open,
    /// The body has ended and what waited is in the batch.
    Done,
    Failed(Status),
    Over,
}

/// The answer as frames of the StoreAPI.
pub(super) fn splice(
    answer: Response,
    outgoing: Outgoing,
    context: &Context,
    metrics: PrometheusStoreMetrics,
) -> Frames {
    let splice = Splice {
        body: Box::pin(answer.bytes_stream()),
        cutter: Cutter::default(),
        order: Reorder::new(outgoing.relabel.clone(), outgoing.first),
        relabel: outgoing.relabel,
        shard: outgoing.shard,
        held: context.budget.hold("series that wait for their place"),
        batch: Vec::new(),
        batch_bytes: 0,
        crowd: Vec::new().into_iter(),
        frames: 0,
        state: State::Open,
        cancel: context.cancel.clone(),
        metrics,
    };
    futures::stream::unfold(splice, |mut splice| async move {
        let frame = splice.next().await?;
        Some((frame, splice))
    })
    .boxed()
}

fn unknown(error: impl std::error::Error + 'static) -> Status {
    Status::new(Code::Unknown, format!("next proto: {}", line(&error)))
}

impl Splice {
    async fn next(&mut self) -> Option<Result<SeriesFrame, Status>> {
        if self.crowd.len() > 0 {
            return Some(Ok(self.take_of_crowd()));
        }
        while matches!(self.state, State::Open) {
            match self.fill() {
                Ok(true) => return Some(Ok(self.take_batch())),
                Ok(false) => {}
                Err(status) => {
                    self.state = State::Failed(status);
                    break;
                }
            }
            let piece = tokio::select! {
                piece = self.body.next() => piece,
                () = self.cancel.cancelled() => Some(Ok(Bytes::new())),
            };
            if self.cancel.is_cancelled() {
                self.state = State::Failed(Status::cancelled("context canceled"));
                break;
            }
            match piece {
                Some(Ok(piece)) => self.cutter.push(piece),
                Some(Err(error)) => self.state = State::Failed(unknown(error.without_url())),
                None => {
                    self.state = match self.end() {
                        Ok(()) => State::Done,
                        Err(status) => State::Failed(status),
                    };
                }
            }
        }
        if !self.batch.is_empty() {
            return Some(Ok(self.take_batch()));
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Failed(status) => Some(Err(status)),
            State::Open | State::Done | State::Over => None,
        }
    }

    /// Takes frames until the batch is full (`true`) or more of the body is needed.
    fn fill(&mut self) -> Result<bool, Status> {
        while self.batch.len() < BATCH && self.batch_bytes < BATCH_BYTES {
            let Some(message) = self.cutter.next().map_err(unknown)? else { return Ok(false) };
            self.frames += 1;
            let mut misplaced = None;
            let read = storeapi::chunked_read(&message, |mut series| {
                series.labels = self.relabel.apply(std::mem::take(&mut series.labels));
                if misplaced.is_none() && self.shard.as_ref().is_none_or(|shard| shard.has(&series.labels)) {
                    misplaced = self.order.push(series, &mut self.batch).err();
                }
            });
            read.map_err(unknown)?;
            if let Some(error) = misplaced {
                return Err(Status::internal(error.to_string()));
            }
            if !self.batch.is_empty() {
                self.batch_bytes += message.len();
            }
            self.hold()?;
        }
        Ok(true)
    }

    fn end(&mut self) -> Result<(), Status> {
        self.cutter.finish().map_err(unknown)?;
        self.order.finish(&mut self.batch).map_err(|error| Status::internal(error.to_string()))
    }

    /// Asks the budget for what waits.
    fn hold(&mut self) -> Result<(), Status> {
        let waiting = self.order.waiting_bytes();
        let held = usize::try_from(self.held.bytes()).unwrap_or(usize::MAX);
        if waiting <= held && waiting + 2 * HELD_STEP > held {
            return Ok(());
        }
        let held = self.held.resize(waiting.next_multiple_of(HELD_STEP));
        held.map_err(|error| Status::resource_exhausted(error.to_string()))
    }

    /// Series that are ready; many at once become several batches.
    fn take_batch(&mut self) -> SeriesFrame {
        self.batch_bytes = 0;
        if self.batch.len() <= 2 * BATCH {
            return SeriesFrame::Batch(std::mem::take(&mut self.batch));
        }
        self.crowd = std::mem::take(&mut self.batch).into_iter();
        self.take_of_crowd()
    }

    fn take_of_crowd(&mut self) -> SeriesFrame {
        SeriesFrame::Batch(self.crowd.by_ref().take(BATCH).collect())
    }
}

impl Drop for Splice {
    fn drop(&mut self) {
        self.metrics.received_frames(self.frames);
    }
}
