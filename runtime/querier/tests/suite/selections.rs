//! What a selection does with frames, warnings, failures, and with stores that do not answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use budget::Budget;
use bytes::Bytes;
use error_kind::ErrorKind;
use futures::StreamExt;
use prom_model::Matcher;
use promql::{Projection, Samples, Select, SeriesSource, SourceError, Symbols};
use querier::{QueryOptions, StoreSource};
use query::{Catalog, Scope};
use store::{About, Context, Frames, Store};
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use storeapi::{AggrChunk, Chunk, LabelBytes, Series, SeriesFrame};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tsdb::chunk::XorAppender;

type Answer = Box<dyn Fn(SeriesRequest, Context) -> Frames + Send + Sync>;

/// A store that answers as a test says.
struct Told(Answer);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

#[async_trait]
impl Store for Told {
    async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status> {
        Ok((self.0)(request, context))
    }

    async fn label_names(
        &self,
        request: LabelNamesRequest,
        _context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        let names = request.matchers.iter().map(|matcher| matcher.name.clone()).collect();
        Ok(LabelNamesResponse { names, warnings: vec!["one is away".to_owned()], hints: None })
    }

    async fn label_values(
        &self,
        _request: LabelValuesRequest,
        _context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        Err(Status::unavailable("all are away"))
    }

    fn about(&self) -> About {
        About {
            label_sets: Vec::new(),
            min_time: i64::MIN,
            max_time: i64::MAX,
            supports_sharding: false,
            supports_without_replica_labels: true,
            extents: Vec::new(),
        }
    }
}

fn chunk(times: std::ops::Range<i64>) -> AggrChunk {
    let mut appender = XorAppender::new();
    for time in times.clone() {
        appender.append(time, time as f64);
    }
    let chunk = Chunk::hashed(Chunk::XOR, Bytes::from(appender.into_bytes()));
    AggrChunk::raw(times.start, times.end - 1, chunk)
}

fn series(name: &str, chunks: Vec<AggrChunk>) -> Series {
    Series { labels: LabelBytes::from_pairs([(&b"__name__"[..], name.as_bytes())]), chunks }
}

fn frames(frames: Vec<Result<SeriesFrame, Status>>) -> Frames {
    futures::stream::iter(frames).boxed()
}

/// A query over a store.
struct Asked {
    runtime: Runtime,
    source: StoreSource,
    cancel: CancellationToken,
    budget: Budget,
}

fn asked_with(
    options: QueryOptions,
    budget: Budget,
    answer: impl Fn(SeriesRequest, Context) -> Frames + Send + Sync + 'static,
) -> Asked {
    let runtime = Runtime::new().unwrap();
    let cancel = CancellationToken::new();
    let store = Arc::new(Told(Box::new(answer)));
    let source = StoreSource::new(store, runtime.handle().clone(), options, cancel.clone(), budget.clone());
    Asked { runtime, source, cancel, budget }
}

fn asked(answer: impl Fn(SeriesRequest, Context) -> Frames + Send + Sync + 'static) -> Asked {
    asked_with(QueryOptions::default(), Budget::unlimited(), answer)
}

fn select(function: &'static str) -> Select {
    Select {
        matchers: vec![Matcher::equal("__name__", "up")],
        min_time: 0,
        max_time: 10_000,
        query_times: (0, 10_000),
        projection: Projection::All,
        step: 0,
        range: 0,
        function,
        histogram_stats_only: false,
        series_only: false,
        pauses: promql::Pauses::default(),
    }
}

type Read = (Vec<(String, Vec<i64>)>, Vec<String>);

impl Asked {
    /// All series: name and times of the samples; and warnings.
    fn read(&self, most: usize) -> Result<Read, SourceError> {
        let mut set = self.source.select(&select(""))?;
        let (mut symbols, mut found) = (Symbols::default(), Vec::new());
        while let Some(batch) = set.next_batch(most, &mut symbols)? {
            assert!(batch.len() <= most);
            let mut reader = batch.reader();
            for at in 0..batch.len() {
                let mut samples = Samples::default();
                reader.read(at, &mut samples)?;
                let names: Vec<_> = batch.labels(at).iter().map(|(_, value)| symbols.text(*value)).collect();
                found.push((names.join(","), samples.timestamps));
            }
        }
        Ok((found, set.warnings()))
    }
}

#[test]
fn a_series_in_several_frames_is_one_and_warnings_are_kept() {
    let asked = asked(|_, _| {
        frames(vec![
            Ok(SeriesFrame::Warning("one is away".to_owned())),
            Ok(SeriesFrame::Batch(vec![series("a", vec![chunk(0..3)]), series("b", vec![chunk(4..6)])])),
            Ok(SeriesFrame::Series(series("b", vec![chunk(0..4), chunk(4..6)]))),
            Ok(SeriesFrame::Warning("another is slow".to_owned())),
            Ok(SeriesFrame::Batch(vec![series("c", vec![chunk(7..8)])])),
        ])
    });
    let expected =
        [("a", 0..3), ("b", 0..6), ("c", 7..8)].map(|(name, times)| (name.to_owned(), times.collect()));
    for most in [1, 2, 100] {
        let (found, warnings) = asked.read(most).unwrap();
        assert_eq!(found, expected);
        assert_eq!(warnings, ["one is away", "another is slow"]);
    }
    assert_eq!(asked.budget.used(), 0, "what was read is given back");
    assert!(asked.budget.peak() > 0);
}

#[test]
fn a_failure_has_the_words_of_thanos() {
    let asked = asked(|_, _| {
        let batch = SeriesFrame::Batch(vec![series("a", vec![chunk(0..3)])]);
        frames(vec![Ok(batch), Err(Status::aborted("fetch series for {} Addr: x: gone"))])
    });
    let error = asked.read(10).unwrap_err();
    assert_eq!(
        error.to_string(),
        "proxy Series(): rpc error: code = Aborted desc = fetch series for {} Addr: x: gone"
    );
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_store_that_does_not_answer_ends_with_its_time_or_with_its_query() {
    let options = QueryOptions { select_timeout: Some(Duration::from_millis(20)), ..QueryOptions::default() };
    let late = asked_with(options, Budget::unlimited(), |_, _| futures::stream::pending().boxed());
    assert_eq!(late.read(10).unwrap_err().kind(), ErrorKind::Timeout);
    let cancelled = asked(|_, _| futures::stream::pending().boxed());
    let token = cancelled.cancel.clone();
    cancelled.runtime.spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        token.cancel();
    });
    assert_eq!(cancelled.read(10).unwrap_err().kind(), ErrorKind::Canceled);
}

#[test]
fn a_selection_that_nobody_reads_any_more_ends_its_call() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let asked = asked(move |_, context| {
        sender.send(context.cancel).unwrap();
        futures::stream::pending().boxed()
    });
    let set = asked.source.select(&select("")).unwrap();
    let call = receiver.recv().unwrap();
    assert!(!call.is_cancelled());
    drop(set);
    asked.runtime.block_on(call.cancelled());
    assert!(!asked.cancel.is_cancelled(), "the query itself goes on");
}

#[test]
fn selections_read_in_turns_do_not_wait_for_each_other_for_ever() {
    let options = QueryOptions { max_concurrent_select: 2, ..QueryOptions::default() };
    let asked = asked_with(options, Budget::unlimited(), |_, _| {
        let many = (0..500).map(|number| {
            let name = format!("{number:04}");
            Ok(SeriesFrame::Series(series(&name, vec![chunk(0..2)])))
        });
        frames(many.collect())
    });
    let mut sets: Vec<_> = (0..8).map(|_| asked.source.select(&select("")).unwrap()).collect();
    let mut symbols = Symbols::default();
    let mut series = 0;
    // As a binary operation over eight selectors reads them: a little of each.
    while let Some(batch) = sets[0].next_batch(10, &mut symbols).unwrap() {
        series += batch.len();
        for set in &mut sets[1..] {
            series += set.next_batch(10, &mut symbols).unwrap().map_or(0, |batch| batch.len());
        }
    }
    assert_eq!(series, 8 * 500);
}

#[test]
fn series_that_do_not_fit_into_memory_are_an_error() {
    let asked = asked_with(QueryOptions::default(), Budget::new("query", 1000), |_, _| {
        let chunks = (0..100).map(|at| chunk(at * 10..at * 10 + 10)).collect();
        frames(vec![Ok(SeriesFrame::Series(series("a", chunks)))])
    });
    let error = asked.read(10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert_eq!(asked.budget.used(), 0);
}

#[test]
fn requests_say_what_the_query_wants() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let options = QueryOptions {
        replica_labels: vec!["replica".to_owned()],
        max_source_resolution: 3_600_000,
        partial_response: false,
        tenant: Some("team-a".to_owned()),
        store_match: vec![vec![Matcher::equal("__address__", "x")]],
        ..QueryOptions::default()
    };
    let asked = asked_with(options, Budget::unlimited(), move |request, context| {
        sender.send((request, context)).unwrap();
        frames(Vec::new())
    });
    let wanted = Select { range: 600_000, series_only: true, ..select("rate") };
    let mut set = asked.source.select(&wanted).unwrap();
    assert!(set.next_batch(1, &mut Symbols::default()).unwrap().is_none());
    let (request, context) = receiver.recv().unwrap();
    assert_eq!((request.min_time, request.max_time), (0, 10_000));
    assert_eq!(request.without_replica_labels, ["replica"]);
    assert_eq!(request.max_resolution_window, 300_000, "two samples fit into the range");
    assert_eq!(request.aggregates, [5], "counters without resets");
    assert_eq!((request.partial_response_strategy, request.skip_chunks), (1, true));
    assert_eq!(context.tenant.as_deref(), Some("team-a"));
    assert_eq!(context.store_match.len(), 1);
}

#[test]
fn labels_of_several_sets_of_matchers_are_put_together() {
    let asked = asked(|_, _| frames(Vec::new()));
    let set = |name: &str| vec![Matcher::equal(name, "x")];
    let scope = Scope { matchers: vec![set("b"), set("a"), set("b")], min_time: 0, max_time: 1 };
    let found = asked.source.label_names(&scope).unwrap();
    assert_eq!(found.texts, ["a", "b"]);
    assert_eq!(found.warnings, ["one is away"]);
    let error = asked.source.label_values("job", &scope).unwrap_err();
    assert_eq!(error.to_string(), "proxy LabelValues(): rpc error: code = Unavailable desc = all are away");
}
