//! The answer of one store on its way into the merge: read by a task of its own, into a queue of a few batches.

use std::future::Future;
use std::time::Duration;

use budget::{BudgetExceeded, Held};
use futures::StreamExt;
use prometheus_client::metrics::counter::Counter;
use server::trace::Caller;
use storeapi::thanos::SeriesRequest;
use storeapi::{AggrChunk, Series, SeriesFrame, Shard};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Status;

use super::message::Failure;
use super::{Access, Conduct, Member};
use crate::{BATCH, Context};

/// Batches that wait for the merge, per store. What is beyond stays with the sender: gRPC stops reading.
const WAITING: usize = 2;

/// What comes out of a store.
#[derive(Debug)]
pub(super) enum Event {
    /// Series in order; the bytes are held until they are merged.
    Series(Vec<Series>, Held),
    /// A warning or hints.
    Aside(SeriesFrame),
    /// It failed; nothing follows.
    Failed(Failure),
    /// The budget of the call is exhausted; nothing follows.
    OverBudget(BudgetExceeded),
    /// It has sent everything.
    End,
}

/// How to read a store.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// What it is asked.
    pub(super) request: SeriesRequest,
    /// How long it may be silent; `None`: for ever.
    pub(super) silence: Option<Duration>,
    /// Counts answers without any frame.
    pub(super) empty: Counter,
    pub(super) context: Context,
}

/// Starts to read a store.
pub(super) fn open(member: Member, reading: Reading, tasks: &mut JoinSet<()>) -> mpsc::Receiver<Event> {
    let (sender, events) = mpsc::channel(WAITING);
    tasks.spawn(Caller::here().scope(async move {
        let mut inflow = Inflow::new(&member, &reading, sender);
        // An error means that the merge is gone.
        let _ = inflow.read().await;
    }));
    events
}

/// The merge does not listen any more.
struct Gone;

struct Inflow<'a> {
    member: &'a Member,
    reading: &'a Reading,
    sender: mpsc::Sender<Event>,
    /// Applied here where the store does not do it.
    shard: Option<Shard>,
    /// Removed here where the store does not do it.
    replica_labels: Vec<String>,
    /// Everything that came, where it has to be sorted.
    unsorted: Option<Vec<Series>>,
    held: Held,
}

impl<'a> Inflow<'a> {
    fn new(member: &'a Member, reading: &'a Reading, sender: mpsc::Sender<Event>) -> Self {
        let about = &member.about;
        let request = &reading.request;
        let shard = if about.supports_sharding { None } else { Shard::new(request.shard_info.as_ref()) };
        let replica_labels = if about.supports_without_replica_labels {
            Vec::new()
        } else {
            request.without_replica_labels.clone()
        };
        let sort = !replica_labels.is_empty() || member.conduct.is_unsorted();
        Inflow {
            member,
            reading,
            sender,
            shard,
            replica_labels,
            unsorted: sort.then(Vec::new),
            held: reading.context.budget.hold("series of stores"),
        }
    }

    async fn read(&mut self) -> Result<(), Gone> {
        let Access::Open(store) = &self.member.access else { return self.send(Event::End).await };
        let answer = store.series(self.reading.request.clone(), self.reading.context.clone());
        let mut frames = match within(self.reading.silence, &self.member.conduct, answer).await {
            Ok(Ok(frames)) => frames,
            Ok(Err(status)) => return self.fail(&status).await,
            Err(why) => return self.give_up(why).await,
        };
        let mut is_empty = true;
        loop {
            let frame = within(self.reading.silence, &self.member.conduct, frames.next()).await;
            if matches!(frame, Ok(Some(Ok(_)))) {
                is_empty = false;
            } else if is_empty {
                self.reading.empty.inc();
            }
            match frame {
                Ok(Some(Ok(SeriesFrame::Series(series)))) => self.take(vec![series]).await?,
                Ok(Some(Ok(SeriesFrame::Batch(batch)))) => self.take(batch).await?,
                Ok(Some(Ok(aside))) => self.send(Event::Aside(aside)).await?,
                Ok(Some(Err(status))) => {
                    self.flush().await?;
                    return self.fail(&status).await;
                }
                Ok(None) => {
                    self.flush().await?;
                    return self.send(Event::End).await;
                }
                Err(why) => {
                    self.flush().await?;
                    return self.give_up(why).await;
                }
            }
        }
    }

    async fn take(&mut self, mut batch: Vec<Series>) -> Result<(), Gone> {
        if !self.replica_labels.is_empty() {
            let is_replica = |name: &[u8]| self.replica_labels.iter().any(|label| label.as_bytes() == name);
            for series in &mut batch {
                series.labels = series.labels.without(is_replica);
            }
        }
        if let Some(shard) = &self.shard {
            batch.retain(|series| shard.has(&series.labels));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let bytes = batch.iter().map(footprint).sum();
        if let Some(all) = &mut self.unsorted {
            if let Err(error) = self.held.grow(bytes) {
                return self.send(Event::OverBudget(error)).await.and(Err(Gone));
            }
            all.append(&mut batch);
            return Ok(());
        }
        let mut held = self.reading.context.budget.hold("series of stores");
        match held.grow(bytes) {
            Ok(()) => self.send(Event::Series(batch, held)).await,
            Err(error) => self.send(Event::OverBudget(error)).await.and(Err(Gone)),
        }
    }

    /// Sorts and sends what had to wait for it.
    async fn flush(&mut self) -> Result<(), Gone> {
        let Some(mut all) = self.unsorted.take() else { return Ok(()) };
        all.sort_by(|one, two| one.labels.cmp(&two.labels));
        let mut all = all.into_iter();
        loop {
            let batch: Vec<_> = all.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            // The bytes stay with this task until the last of them is sent.
            let held = self.reading.context.budget.hold("series of stores");
            self.send(Event::Series(batch, held)).await?;
        }
    }

    async fn fail(&mut self, status: &Status) -> Result<(), Gone> {
        self.send(Event::Failed(Failure::of_series(self.member, status))).await
    }

    async fn give_up(&mut self, why: GivenUp) -> Result<(), Gone> {
        let failure = match why {
            GivenUp::Silent => Failure::silent(self.member, self.reading.silence.unwrap_or_default()),
            GivenUp::Lost => Failure::of_series(self.member, &lost()),
        };
        self.send(Event::Failed(failure)).await
    }

    async fn send(&mut self, event: Event) -> Result<(), Gone> {
        self.sender.send(event).await.map_err(|_| Gone)
    }
}

/// Why a store is not waited for any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It was silent for too long.
    Silent,
    /// It was silent, and does not answer checks of its health either.
    Lost,
}

/// So many checks of health have to fail while nothing comes.
const CHECKS: usize = 2;

/// Waits for a store as long as it may be silent and its health is not in doubt.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    conduct: &Conduct,
    what: impl Future<Output = T>,
) -> Result<T, GivenUp> {
    let silent = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        came = what => Ok(came),
        () = conduct.is_lost(CHECKS) => Err(GivenUp::Lost),
        () = silent => Err(GivenUp::Silent),
    }
}

/// What is said of a store that is lost.
pub(super) fn lost() -> Status {
    Status::unavailable("nothing comes, and the endpoint does not answer Info either")
}

/// The bytes that a series keeps alive.
fn footprint(series: &Series) -> usize {
    let chunk = |chunk: &AggrChunk| {
        size_of::<AggrChunk>() + chunk.parts.iter().map(|(_, part)| part.data.len()).sum::<usize>()
    };
    size_of::<Series>() + series.labels.as_wire().len() + series.chunks.iter().map(chunk).sum::<usize>()
}
