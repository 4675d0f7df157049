//! One `Series` call on its way: on the runtime, into a channel.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use budget::Held;
use futures::StreamExt;
use promql::SourceError;
use server::trace::Caller;
use store::{Context, Store};
use storeapi::thanos::SeriesRequest;
use storeapi::{AggrChunk, Series, SeriesFrame};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::failure::{StoreFailure, exhausted};

/// So many frames wait at most for whoever reads them,
const FRAMES_WAITING: usize = 16;
/// and so many bytes, or one frame that is larger.
const BYTES_WAITING: u32 = 1 << 20;

/// What comes through the channel.
pub(super) enum Arrived {
    /// Series, the memory they take, and their place among what waits.
    Series(Vec<Series>, Held, OwnedSemaphorePermit),
    /// A warning for the one who asked.
    Warning(String),
}

/// A call that has not begun.
pub(super) struct Call {
    pub(super) store: Arc<dyn Store>,
    pub(super) request: SeriesRequest,
    /// Its token belongs to the query.
    pub(super) context: Context,
    pub(super) turns: Arc<Semaphore>,
    pub(super) timeout: Option<Duration>,
}

type Frames = Sender<Result<Arrived, SourceError>>;

impl Call {
    /// Begins the call. It ends with its answer, its time, its query, or when the receiver is dropped.
    pub(super) fn start(
        mut self,
        runtime: &Handle,
        caller: &Caller,
    ) -> Receiver<Result<Arrived, SourceError>> {
        let (sender, receiver) = channel(FRAMES_WAITING);
        let query = self.context.cancel.clone();
        self.context.cancel = query.child_token();
        let ends = self.context.cancel.clone().drop_guard();
        runtime.spawn(caller.scope(async move {
            let _ends = ends;
            let timeout = self.timeout;
            let late = async move {
                match timeout {
                    Some(timeout) => tokio::time::sleep(timeout).await,
                    None => pending().await,
                }
            };
            let failed = tokio::select! {
                biased;
                () = sender.closed() => None,
                () = query.cancelled() => Some(status(Status::cancelled("context canceled"))),
                answered = self.run(&sender) => answered.err(),
                () = late => Some(status(Status::deadline_exceeded("context deadline exceeded"))),
            };
            if let Some(error) = failed {
                let _ = sender.send(Err(error)).await;
            }
        }));
        receiver
    }

    async fn run(self, sender: &Frames) -> Result<(), SourceError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        let room = Arc::new(Semaphore::new(BYTES_WAITING as usize));
        let mut sending = Sending { sender, room, turn };
        let budget = self.context.budget.clone();
        let mut frames = self.store.series(self.request, self.context).await.map_err(status)?;
        while let Some(frame) = frames.next().await {
            let series = match frame.map_err(status)? {
                SeriesFrame::Batch(series) => series,
                SeriesFrame::Series(series) => vec![series],
                SeriesFrame::Warning(text) => {
                    sending.send(Arrived::Warning(text)).await;
                    continue;
                }
                SeriesFrame::Hints(_) => continue,
            };
            if !series.is_empty() {
                let (mut held, bytes) = (budget.hold("series received"), bytes(&series));
                held.grow(bytes).map_err(exhausted)?;
                let Some(room) = sending.room(bytes).await else { return Ok(()) };
                sending.send(Arrived::Series(series, held, room)).await;
            }
        }
        Ok(())
    }
}

/// Where frames go.
struct Sending<'s> {
    sender: &'s Frames,
    /// Bytes that may still wait.
    room: Arc<Semaphore>,
    /// Others wait for it. Who has to wait for the reader gives it away: the reader may be waiting for one of the others.
    turn: Option<OwnedSemaphorePermit>,
}

impl Sending<'_> {
    /// Waits until so many bytes may wait.
    async fn room(&mut self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(BYTES_WAITING).min(BYTES_WAITING);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            return Some(room);
        }
        self.turn = None;
        Arc::clone(&self.room).acquire_many_owned(bytes).await.ok()
    }

    async fn send(&mut self, arrived: Arrived) {
        if let Err(TrySendError::Full(arrived)) = self.sender.try_send(Ok(arrived)) {
            self.turn = None;
            let _ = self.sender.send(arrived).await;
        }
    }
}

fn status(status: Status) -> SourceError {
    StoreFailure::new("Series", status).into()
}

/// The memory that series take, about.
fn bytes(series: &[Series]) -> usize {
    let chunk = |chunk: &AggrChunk| {
        let data: usize = chunk.parts.iter().map(|(_, chunk)| chunk.data.len()).sum();
        size_of::<AggrChunk>() + data
    };
    let one = |series: &Series| {
        let chunks: usize = series.chunks.iter().map(chunk).sum();
        size_of::<Series>() + series.labels.as_wire().len() + chunks
    };
    series.iter().map(one).sum()
}
