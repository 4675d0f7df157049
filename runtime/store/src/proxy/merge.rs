//! The answers of several stores as one: in order, each label set once, each chunk once.

use std::cmp::Ordering;
use std::collections::VecDeque;

use budget::Held;
use futures::{StreamExt, stream};
use storeapi::{Series, SeriesFrame};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Status};

use super::Member;
use super::chunks::unite;
use super::inflow::Event;
use super::message::Failure;
use super::tree::LoserTree;
use crate::{BATCH, BATCH_CHUNKS, Frames};

/// One store's part of the merge.
#[derive(Debug)]
pub(super) struct Head {
    member: Member,
    events: mpsc::Receiver<Event>,
    batch: std::vec::IntoIter<Series>,
    current: Option<Series>,
    ended: bool,
    _held: Option<Held>,
}

impl Head {
    pub(super) fn new(member: Member, events: mpsc::Receiver<Event>) -> Self {
        Head { member, events, batch: Vec::new().into_iter(), current: None, ended: false, _held: None }
    }

    /// Whether the next series can be had without waiting.
    fn is_ready(&self) -> bool {
        self.ended || self.batch.len() > 0 || !self.events.is_empty()
    }

    fn end(&mut self) {
        self.ended = true;
        self.current = None;
        self.batch = Vec::new().into_iter();
        self._held = None;
        self.events.close();
    }
}

/// What the merge goes by.
#[derive(Debug)]
pub(super) struct Rules {
    /// Whether what is missing makes the call fail.
    pub(super) abort: bool,
    /// The most series to send; 0: all.
    pub(super) limit: u64,
}

/// The merge of all heads.
#[derive(Debug)]
pub(super) struct Merge {
    heads: Vec<Head>,
    /// `None` until each head has its first series.
    tree: Option<LoserTree>,
    /// The head whose next series is due.
    due: Option<usize>,
    /// The series that parts are still added to.
    open: Option<Series>,
    batch: Vec<Series>,
    /// Chunks in the batch.
    chunks: usize,
    asides: VecDeque<SeriesFrame>,
    rules: Rules,
    sent: u64,
    finished: bool,
    cancel: CancellationToken,
    _tasks: JoinSet<()>,
    _ends: DropGuard,
}

impl Merge {
    /// Merges what `tasks` read; `asides` are sent first. `cancel` ends it, and is called when it ends.
    pub(super) fn new(
        heads: Vec<Head>,
        asides: VecDeque<SeriesFrame>,
        rules: Rules,
        cancel: CancellationToken,
        tasks: JoinSet<()>,
    ) -> Self {
        Merge {
            heads,
            tree: None,
            due: None,
            open: None,
            batch: Vec::new(),
            chunks: 0,
            asides,
            rules,
            sent: 0,
            finished: false,
            _ends: cancel.clone().drop_guard(),
            cancel,
            _tasks: tasks,
        }
    }

    /// The merged frames.
    pub(super) fn into_frames(self) -> Frames {
        stream::unfold(self, |mut merge| async move {
            let frame = merge.next().await?;
            if frame.is_err() {
                merge.finished = true;
            }
            Some((frame, merge))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Result<SeriesFrame, Status>> {
        if self.finished {
            return None;
        }
        let cancel = self.cancel.clone();
        tokio::select! {
            biased;
            () = cancel.cancelled() => Some(Err(Status::cancelled("context canceled"))),
            frame = self.step() => frame.transpose(),
        }
    }

    async fn step(&mut self) -> Result<Option<SeriesFrame>, Status> {
        if self.tree.is_none() {
            for at in 0..self.heads.len() {
                self.advance(at).await?;
            }
            self.tree = Some(LoserTree::new(self.heads.len(), less(&self.heads)));
        }
        loop {
            if let Some(aside) = self.asides.pop_front() {
                return Ok(Some(aside));
            }
            if self.batch.len() >= BATCH || self.chunks >= BATCH_CHUNKS {
                return Ok(Some(self.take_batch()));
            }
            if let Some(at) = self.due {
                // Nobody waits for a slow store longer than for what they need of it.
                if !self.batch.is_empty() && !self.heads.get(at).is_some_and(Head::is_ready) {
                    return Ok(Some(self.take_batch()));
                }
                self.advance(at).await?;
                self.due = None;
                if let Some(tree) = &mut self.tree {
                    tree.replay(less(&self.heads));
                }
                continue;
            }
            if !self.take_winner()? {
                self.close_open();
                self.finished = self.batch.is_empty();
                return Ok((!self.finished).then(|| self.take_batch()));
            }
        }
    }

    fn take_batch(&mut self) -> SeriesFrame {
        self.chunks = 0;
        SeriesFrame::Batch(std::mem::take(&mut self.batch))
    }

    /// Takes the least series; `false` where there is none, or enough were sent.
    fn take_winner(&mut self) -> Result<bool, Status> {
        let Some(at) = self.tree.as_ref().map(LoserTree::winner) else { return Ok(false) };
        let Some(head) = self.heads.get_mut(at) else { return Ok(false) };
        let Some(series) = head.current.take() else { return Ok(false) };
        match self.open.as_mut().map(|open| (open.labels.cmp(&series.labels), open)) {
            Some((Ordering::Equal, open)) => {
                open.chunks.extend(series.chunks);
            }
            Some((Ordering::Greater, _)) => {
                // What comes now belongs before what was sent. It cannot be had this time, and next time it is sorted first.
                head.member.conduct.sends_unsorted();
                let status = Status::new(Code::Internal, "series are not sorted by their labels");
                let failure = Failure::of_series(&head.member, &status);
                head.end();
                if self.rules.abort {
                    return Err(failure.into_status());
                }
                self.asides.push_back(SeriesFrame::Warning(failure.into_warning()));
            }
            Some((Ordering::Less, _)) | None => {
                self.close_open();
                if self.rules.limit > 0 && self.sent >= self.rules.limit {
                    self.heads.clear();
                    return Ok(false);
                }
                self.open = Some(series);
            }
        }
        self.due = Some(at);
        Ok(true)
    }

    /// Nothing more comes for the open series.
    fn close_open(&mut self) {
        if let Some(mut series) = self.open.take() {
            unite(&mut series.chunks);
            self.chunks += series.chunks.len();
            self.batch.push(series);
            self.sent += 1;
        }
    }

    /// Gets the next series of a head, or its end.
    async fn advance(&mut self, at: usize) -> Result<(), Status> {
        let Some(head) = self.heads.get_mut(at) else { return Ok(()) };
        loop {
            if head.ended {
                return Ok(());
            }
            if let Some(series) = head.batch.next() {
                head.current = Some(series);
                return Ok(());
            }
            let failure = match head.events.recv().await {
                Some(Event::Series(batch, held)) => {
                    head.batch = batch.into_iter();
                    head._held = Some(held);
                    continue;
                }
                Some(Event::Aside(SeriesFrame::Warning(text))) => Failure::told(&text),
                Some(Event::Aside(aside)) => {
                    self.asides.push_back(aside);
                    continue;
                }
                Some(Event::End) => {
                    head.end();
                    return Ok(());
                }
                Some(Event::Failed(failure)) => {
                    head.end();
                    failure
                }
                Some(Event::OverBudget(error)) => return Err(Status::resource_exhausted(error.to_string())),
                None => {
                    head.end();
                    let status = Status::new(Code::Internal, "the answer broke off");
                    Failure::of_series(&head.member, &status)
                }
            };
            if self.rules.abort {
                return Err(failure.into_status());
            }
            self.asides.push_back(SeriesFrame::Warning(failure.into_warning()));
        }
    }
}

/// The order of the heads; those at their end come last.
fn less(heads: &[Head]) -> impl Fn(usize, usize) -> bool {
    let current = |at: usize| heads.get(at).and_then(|head| head.current.as_ref());
    move |one, two| match (current(one), current(two)) {
        (Some(one), Some(two)) => one.labels < two.labels,
        (one, _) => one.is_some(),
    }
}
