//! Any store as a gRPC service.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use budget::Budget;
use futures::Stream;
use storeapi::thanos::store_server;
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, PartialResponseStrategy,
    SeriesRequest,
};
use storeapi::{Series, SeriesFrame};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::{BATCH_CHUNKS, Context, Frames, Store};

/// The key of gRPC metadata that says whose call it is.
pub const TENANT_KEY: &str = "thanos-tenant";

/// Whose call it is.
pub fn tenant(metadata: &MetadataMap) -> Option<String> {
    metadata.get(TENANT_KEY).and_then(|tenant| tenant.to_str().ok()).map(str::to_owned)
}

/// Whether anything that is missing makes the answer fail: by the strategy, or by the field that it replaced.
pub fn partial_response_disabled(disabled: bool, strategy: i32) -> bool {
    disabled || strategy == i32::from(PartialResponseStrategy::Abort)
}

/// The service `thanos.Store` over a store.
#[derive(Debug, Clone)]
pub struct StoreService {
    store: Arc<dyn Store>,
    budget: Budget,
}

impl StoreService {
    /// Serves a store; all calls together hold no more than the budget.
    pub fn new(store: Arc<dyn Store>, budget: Budget) -> Self {
        StoreService { store, budget }
    }

    /// The service for a server, without a limit on the size of messages.
    pub fn into_server(self) -> store_server::StoreServer<Self> {
        store_server::StoreServer::new(self)
            .max_decoding_message_size(storeapi::MESSAGE_MAX)
            .max_encoding_message_size(storeapi::MESSAGE_MAX)
    }

    fn context(&self, metadata: &MetadataMap) -> Context {
        Context {
            tenant: tenant(metadata),
            cancel: CancellationToken::new(),
            budget: self.budget.clone(),
            ..Context::unlimited()
        }
    }
}

#[tonic::async_trait]
impl store_server::Store for StoreService {
    type SeriesStream = Pin<Box<Rebatched>>;

    async fn series(&self, request: Request<SeriesRequest>) -> Result<Response<Self::SeriesStream>, Status> {
        let context = self.context(request.metadata());
        let ends = context.cancel.clone().drop_guard();
        let request = request.into_inner();
        let most = request.response_batch_size;
        let frames = self.store.series(request, context).await?;
        Ok(Response::new(Box::pin(Rebatched::new(frames, most, ends))))
    }

    async fn label_names(
        &self,
        request: Request<LabelNamesRequest>,
    ) -> Result<Response<LabelNamesResponse>, Status> {
        let context = self.context(request.metadata());
        let _ends = context.cancel.clone().drop_guard();
        self.store.label_names(request.into_inner(), context).await.map(Response::new)
    }

    async fn label_values(
        &self,
        request: Request<LabelValuesRequest>,
    ) -> Result<Response<LabelValuesResponse>, Status> {
        let context = self.context(request.metadata());
        let _ends = context.cancel.clone().drop_guard();
        self.store.label_values(request.into_inner(), context).await.map(Response::new)
    }
}

/// Frames with as many series as the request asked for.
///
/// A frame is sent when it is full (of series, or of chunks), when something else than a series comes, and at the end.
pub struct Rebatched {
    frames: Option<Frames>,
    /// Series in each frame; 1: in a frame of their own.
    most: usize,
    /// Series that were received and not sent, in reverse.
    waiting: Vec<Series>,
    batch: Vec<Series>,
    /// Chunks in the batch.
    chunks: usize,
    /// Sent when the batch is.
    after: Option<Result<SeriesFrame, Status>>,
    _ends: DropGuard,
}

/// More than these in a frame do nobody any good.
const MOST: usize = 65_536;

impl Rebatched {
    fn new(frames: Frames, most: i64, ends: DropGuard) -> Self {
        let most = usize::try_from(most).unwrap_or(0).clamp(1, MOST);
        Rebatched {
            frames: Some(frames),
            most,
            waiting: Vec::new(),
            batch: Vec::new(),
            chunks: 0,
            after: None,
            _ends: ends,
        }
    }

    fn flush(&mut self) -> Option<Result<SeriesFrame, Status>> {
        self.chunks = 0;
        (!self.batch.is_empty()).then(|| Ok(SeriesFrame::Batch(std::mem::take(&mut self.batch))))
    }
}

impl Stream for Rebatched {
    type Item = Result<SeriesFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            while let Some(series) = this.waiting.pop() {
                if this.most == 1 {
                    return Poll::Ready(Some(Ok(SeriesFrame::Series(series))));
                }
                this.chunks += series.chunks.len();
                this.batch.push(series);
                if this.batch.len() >= this.most || this.chunks >= BATCH_CHUNKS {
                    return Poll::Ready(this.flush());
                }
            }
            if let Some(after) = this.after.take() {
                return Poll::Ready(Some(after));
            }
            let Some(frames) = &mut this.frames else { return Poll::Ready(None) };
            match ready!(frames.as_mut().poll_next(context)) {
                Some(Ok(SeriesFrame::Batch(mut batch))) => {
                    let chunks: usize = batch.iter().map(|series| series.chunks.len()).sum();
                    let last = batch.last().map_or(0, |series| series.chunks.len());
                    let is_full = batch.len() == this.most || chunks >= BATCH_CHUNKS;
                    let fits = batch.len() <= this.most && chunks - last < BATCH_CHUNKS;
                    if this.batch.is_empty() && this.most > 1 && is_full && fits {
                        return Poll::Ready(Some(Ok(SeriesFrame::Batch(batch))));
                    }
                    batch.reverse();
                    this.waiting = batch;
                }
                Some(Ok(SeriesFrame::Series(series))) => this.waiting.push(series),
                Some(other) => {
                    if other.is_err() {
                        this.frames = None;
                    }
                    this.after = Some(other);
                    if let Some(batch) = this.flush() {
                        return Poll::Ready(Some(batch));
                    }
                }
                None => {
                    this.frames = None;
                    return Poll::Ready(this.flush());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use futures::executor::block_on;
    use storeapi::{AggrChunk, LabelBytes};

    use super::*;

    fn series(name: &str) -> Series {
        Series { labels: LabelBytes::from_pairs([(&b"n"[..], name.as_bytes())]), chunks: Vec::new() }
    }

    /// What comes out, in short: series by their names, a batch in brackets.
    fn sent(frames: Vec<Result<SeriesFrame, Status>>, most: i64) -> Vec<String> {
        let name = |series: &Series| {
            String::from_utf8_lossy(series.labels.get(b"n").unwrap_or_default()).into_owned()
        };
        let ends = CancellationToken::new().drop_guard();
        let frames = Rebatched::new(futures::stream::iter(frames).boxed(), most, ends);
        let frames: Vec<_> = block_on(frames.collect());
        let text = |frame: &Result<SeriesFrame, Status>| match frame {
            Ok(SeriesFrame::Series(series)) => name(series),
            Ok(SeriesFrame::Batch(batch)) => format!("{:?}", batch.iter().map(name).collect::<Vec<_>>()),
            Ok(SeriesFrame::Warning(text)) => format!("warning {text}"),
            Ok(SeriesFrame::Hints(_)) => "hints".to_owned(),
            Err(status) => format!("error {}", status.message()),
        };
        frames.iter().map(text).collect()
    }

    fn frames() -> Vec<Result<SeriesFrame, Status>> {
        vec![
            Ok(SeriesFrame::Batch(vec![series("a"), series("b"), series("c")])),
            Ok(SeriesFrame::Series(series("d"))),
            Ok(SeriesFrame::Warning("slow".to_owned())),
            Ok(SeriesFrame::Batch(vec![series("e"), series("f")])),
            Err(Status::aborted("gone")),
            Ok(SeriesFrame::Series(series("g"))),
        ]
    }

    #[test]
    fn series_come_one_by_one_where_no_batch_was_asked_for() {
        let wanted = ["a", "b", "c", "d", "warning slow", "e", "f", "error gone"];
        for most in [-3, 0, 1] {
            assert_eq!(sent(frames(), most), wanted);
        }
    }

    #[test]
    fn batches_have_the_size_asked_for_and_nothing_overtakes_a_series() {
        let wanted = [r#"["a", "b"]"#, r#"["c", "d"]"#, "warning slow", r#"["e", "f"]"#, "error gone"];
        assert_eq!(sent(frames(), 2), wanted);
        let wanted = [r#"["a", "b", "c", "d"]"#, "warning slow", r#"["e", "f"]"#, "error gone"];
        assert_eq!(sent(frames(), 64), wanted);
    }

    #[test]
    fn series_with_many_chunks_make_smaller_batches() {
        let long = |name| Series { chunks: vec![AggrChunk::default(); BATCH_CHUNKS / 2 + 1], ..series(name) };
        let frames = |list: Vec<Series>| vec![Ok(SeriesFrame::Batch(list))];
        let one_after_another = frames(vec![long("a"), long("b"), long("c"), series("d")]);
        assert_eq!(sent(one_after_another, 64), [r#"["a", "b"]"#, r#"["c", "d"]"#]);
        // What is full already goes as it is.
        let mut full = frames(vec![long("a"), long("b")]);
        full.extend(frames(vec![series("c")]));
        assert_eq!(sent(full, 64), [r#"["a", "b"]"#, r#"["c"]"#]);
    }
}
