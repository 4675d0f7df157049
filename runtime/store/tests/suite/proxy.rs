//! What a proxy does with stores that fail, hang, are away or break the rules.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use budget::Budget;
use bytes::Bytes;
use futures::{StreamExt, stream};
use prom_model::Matcher;
use store::{About, Context, Frames, Member, ProxySettings, ProxyStore, Store, TENANT_KEY};
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, PartialResponseStrategy,
    SeriesRequest,
};
use storeapi::{AggrChunk, Chunk, LabelBytes, Series, SeriesFrame};
use tonic::{Code, Status};

use super::merge::{Script, anything, collect};
use super::served::{remote, serve};

fn series(value: &str) -> Series {
    let labels = LabelBytes::from_pairs([(&b"__name__"[..], value.as_bytes())]);
    let chunk = AggrChunk::raw(0, 9, Chunk::hashed(Chunk::XOR, Bytes::copy_from_slice(value.as_bytes())));
    Series { labels, chunks: vec![chunk] }
}

fn modern() -> About {
    About { supports_sharding: true, supports_without_replica_labels: true, ..About::whole() }
}

fn script(frames: Vec<SeriesFrame>) -> Arc<Script> {
    Arc::new(Script { frames, about: modern() })
}

/// Sends one series, and then what `then` says.
#[derive(Debug, Clone)]
enum Then {
    Nothing,
    Fail(Code),
    Hang,
}

#[derive(Debug, Clone)]
struct Faulty {
    first: Option<Series>,
    then: Then,
}

#[async_trait]
impl Store for Faulty {
    async fn series(&self, _: SeriesRequest, _: Context) -> Result<Frames, Status> {
        let first = stream::iter(self.first.clone().map(|series| Ok(SeriesFrame::Series(series))));
        let then = self.then.clone();
        let rest = stream::once(async move {
            match then {
                Then::Nothing => Ok(SeriesFrame::default()),
                Then::Fail(code) => Err(Status::new(code, "it broke")),
                Then::Hang => std::future::pending().await,
            }
        });
        Ok(first.chain(rest).boxed())
    }

    async fn label_names(&self, _: LabelNamesRequest, _: Context) -> Result<LabelNamesResponse, Status> {
        match self.then {
            Then::Nothing => Ok(LabelNamesResponse { names: vec!["a".to_owned()], ..Default::default() }),
            Then::Fail(code) => Err(Status::new(code, "it broke")),
            Then::Hang => std::future::pending().await,
        }
    }

    async fn label_values(&self, _: LabelValuesRequest, _: Context) -> Result<LabelValuesResponse, Status> {
        match self.then {
            Then::Nothing => Ok(LabelValuesResponse { values: vec!["a".to_owned()], ..Default::default() }),
            Then::Fail(code) => Err(Status::new(code, "it broke")),
            Then::Hang => std::future::pending().await,
        }
    }

    fn about(&self) -> About {
        modern()
    }
}

fn member(address: &str, store: impl Store + 'static) -> Member {
    let about = store.about();
    Member::open(address, About { min_time: 0, max_time: 100, ..about }, Arc::new(store))
}

fn proxy(members: Vec<Member>) -> ProxyStore {
    let settings =
        ProxySettings { response_timeout: Some(Duration::from_millis(200)), ..ProxySettings::default() };
    ProxyStore::new(Arc::new(members), settings)
}

fn aborting() -> SeriesRequest {
    SeriesRequest { partial_response_strategy: PartialResponseStrategy::Abort.into(), ..anything() }
}

fn names(all: &[Series]) -> Vec<&str> {
    let name = |series: &'_ Series| series.labels.get(b"__name__").map(<[u8]>::to_vec).expect("a name");
    all.iter().map(|series| String::from_utf8(name(series)).expect("UTF-8").leak() as &str).collect()
}

#[tokio::test]
async fn a_store_that_fails_half_way_is_a_warning_and_the_rest_comes() {
    let faulty = Faulty { first: Some(series("b")), then: Then::Fail(Code::ResourceExhausted) };
    let all = vec![SeriesFrame::Batch(vec![series("a"), series("c")])];
    let members = || vec![member("s:1", faulty.clone()), member("t:1", (*script(all.clone())).clone())];
    let (got, warnings) = collect(&proxy(members()), anything()).await.expect("partial answers are allowed");
    assert_eq!(names(&got), ["a", "b", "c"]);
    assert_eq!(
        warnings,
        [
            "receive series from Addr: s:1 MinTime: 0 MaxTime: 100: rpc error: code = ResourceExhausted desc = it broke"
        ]
    );
    let status = collect(&proxy(members()), aborting()).await.expect_err("nothing may be missing");
    assert_eq!((status.code(), status.message()), (Code::Aborted, warnings[0].as_str()));
}

#[tokio::test]
async fn a_store_that_hangs_is_given_up_at_its_deadline_and_the_rest_comes() {
    for first in [None, Some(series("b"))] {
        let hanging = Faulty { first: first.clone(), then: Then::Hang };
        let members = || {
            vec![
                member("s:1", hanging.clone()),
                member("t:1", (*script(vec![SeriesFrame::Series(series("a"))])).clone()),
            ]
        };
        let (got, warnings) =
            collect(&proxy(members()), anything()).await.expect("partial answers are allowed");
        assert_eq!(got.len(), 1 + usize::from(first.is_some()));
        assert_eq!(
            warnings,
            [
                "failed to receive any data in 200ms from Addr: s:1 MinTime: 0 MaxTime: 100: rpc error: code = Canceled desc = context canceled"
            ]
        );
        let status = collect(&proxy(members()), aborting()).await.expect_err("nothing may be missing");
        assert_eq!((status.code(), status.message()), (Code::Aborted, warnings[0].as_str()));
    }
}

#[tokio::test]
async fn hanging_stores_are_waited_for_at_the_same_time() {
    let hanging = Faulty { first: None, then: Then::Hang };
    let members = (0..20).map(|at| member(&format!("s:{at}"), hanging.clone())).collect();
    let answer = tokio::time::timeout(Duration::from_secs(3), async {
        collect(&proxy(members), anything()).await.expect("partial answers are allowed")
    });
    assert_eq!(answer.await.expect("20 deadlines of 200 ms one after another are 4 s").1.len(), 20);
}

#[tokio::test]
async fn a_store_that_is_away_is_told_where_it_may_have_had_something() {
    let about = About { min_time: 50, max_time: 100, ..modern() };
    let here = Faulty { first: Some(series("a")), then: Then::Nothing };
    let members = || vec![Member::away("s:1", about.clone(), "nobody answers"), member("t:1", here.clone())];
    let (got, warnings) = collect(&proxy(members()), anything()).await.expect("partial answers are allowed");
    assert_eq!(names(&got), ["a"]);
    assert_eq!(
        warnings,
        ["fetch series for Store Gateway Addr: s:1 MinTime: 50 MaxTime: 100: nobody answers"]
    );
    let status = collect(&proxy(members()), aborting()).await.expect_err("nothing may be missing");
    assert_eq!((status.code(), status.message()), (Code::Unavailable, warnings[0].as_str()));
    let earlier = SeriesRequest { max_time: 49, ..aborting() };
    let (_, warnings) = collect(&proxy(members()), earlier).await.expect("it had nothing of that time");
    assert!(warnings.is_empty());
}

#[tokio::test]
async fn warnings_of_stores_are_passed_on_or_end_the_call() {
    let frames = vec![SeriesFrame::Warning("of mine".to_owned()), SeriesFrame::Series(series("a"))];
    let members = || vec![Member::local(script(frames.clone()))];
    let (got, warnings) = collect(&proxy(members()), anything()).await.expect("partial answers are allowed");
    assert_eq!((names(&got), warnings), (vec!["a"], vec!["of mine".to_owned()]));
    let status = collect(&proxy(members()), aborting()).await.expect_err("nothing may be missing");
    assert_eq!((status.code(), status.message()), (Code::Aborted, "of mine"));
    let disabled = SeriesRequest { partial_response_disabled: true, ..anything() };
    assert_eq!(collect(&proxy(members()), disabled).await.expect_err("the old field").code(), Code::Aborted);
}

#[tokio::test]
async fn no_stores_at_all_is_an_error_only_where_nothing_may_be_missing() {
    assert_eq!(collect(&proxy(Vec::new()), anything()).await.expect("empty").0, []);
    let status = collect(&proxy(Vec::new()), aborting()).await.expect_err("nobody could be asked");
    assert_eq!((status.code(), status.message()), (Code::Unknown, "No StoreAPIs available"));
    let request = SeriesRequest { matchers: Vec::new(), ..anything() };
    let status = collect(&proxy(Vec::new()), request).await.expect_err("no matchers");
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "no matchers specified (excluding selector labels)")
    );
}

#[tokio::test]
async fn a_store_that_does_not_sort_is_told_once_and_sorted_from_then_on() {
    let frames = vec![SeriesFrame::Batch(vec![series("b"), series("a"), series("c")])];
    let proxy = proxy(vec![member("s:1", (*script(frames)).clone())]);
    let (got, warnings) = collect(&proxy, anything()).await.expect("partial answers are allowed");
    assert_eq!(names(&got), ["b"]);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("series are not sorted by their labels"), "{warnings:?}");
    let (got, warnings) = collect(&proxy, aborting()).await.expect("sorted here");
    assert_eq!((names(&got), warnings.len()), (vec!["a", "b", "c"], 0));
}

#[tokio::test]
async fn what_is_on_the_way_is_charged_and_given_back() {
    let frames = vec![SeriesFrame::Batch((0..1000).map(|at| series(&format!("{at:04}"))).collect())];
    let proxy = proxy(vec![member("s:1", (*script(frames)).clone())]);
    let budget = Budget::new("call", 10_000);
    let context = Context { budget: budget.clone(), ..Context::unlimited() };
    let mut frames = proxy.series(anything(), context).await.expect("starts");
    let mut last = None;
    while let Some(frame) = frames.next().await {
        last = Some(frame);
    }
    let status = last.expect("an answer").expect_err("too much for the budget");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("of the 10000 bytes of the call are in use"), "{}", status.message());
    drop(frames);
    tokio::time::timeout(Duration::from_secs(10), async {
        while budget.used() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("everything is given back");
}

#[tokio::test]
async fn a_slow_reader_holds_the_stores_back() {
    /// Sends without end, and counts.
    #[derive(Debug, Clone, Default)]
    struct Endless(Arc<std::sync::atomic::AtomicUsize>);
    #[async_trait]
    impl Store for Endless {
        async fn series(&self, _: SeriesRequest, _: Context) -> Result<Frames, Status> {
            let sent = Arc::clone(&self.0);
            Ok(stream::iter(0..)
                .map(move |at: u64| {
                    sent.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    Ok(SeriesFrame::Batch(vec![series(&format!("{at:09}"))]))
                })
                .boxed())
        }
        async fn label_names(&self, _: LabelNamesRequest, _: Context) -> Result<LabelNamesResponse, Status> {
            Ok(LabelNamesResponse::default())
        }
        async fn label_values(
            &self,
            _: LabelValuesRequest,
            _: Context,
        ) -> Result<LabelValuesResponse, Status> {
            Ok(LabelValuesResponse::default())
        }
        fn about(&self) -> About {
            modern()
        }
    }
    let endless = Endless::default();
    let proxy = proxy(vec![Member::local(Arc::new(endless.clone()))]);
    let mut frames = proxy.series(anything(), Context::unlimited()).await.expect("starts");
    assert!(frames.next().await.expect("a frame").is_ok());
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let sent = endless.0.load(std::sync::atomic::Ordering::SeqCst);
    assert!(sent < 200, "{sent} batches were taken in for 64 that were read");
}

#[tokio::test]
async fn labels_of_all_stores_are_united_with_warnings_for_those_that_fail() {
    let store = |then| Faulty { first: None, then };
    let members = || {
        vec![
            member("a:1", store(Then::Nothing)),
            member("b:1", store(Then::Fail(Code::Internal))),
            member("c:1", store(Then::Hang)),
            Member::away("d:1", About { min_time: 0, max_time: 100, ..modern() }, "nobody answers"),
        ]
    };
    let request = LabelNamesRequest { start: 0, end: 100, ..LabelNamesRequest::default() };
    let got = proxy(members()).label_names(request.clone(), Context::unlimited()).await.expect("partial");
    assert_eq!(got.names, ["a"]);
    let from =
        |address: &str| format!("fetch label names from store Addr: {address} MinTime: 0 MaxTime: 100: ");
    assert_eq!(
        got.warnings,
        [
            format!("{}rpc error: code = Internal desc = it broke", from("b:1")),
            format!("{}no answer in 200ms", from("c:1")),
            format!("{}nobody answers", from("d:1")),
        ]
    );
    let abort = PartialResponseStrategy::Abort.into();
    let request = LabelNamesRequest { partial_response_strategy: abort, ..request };
    proxy(members()).label_names(request, Context::unlimited()).await.expect_err("nothing may be missing");
    let request = LabelValuesRequest { label: "x".to_owned(), start: 0, end: 100, ..Default::default() };
    let got = proxy(members()).label_values(request, Context::unlimited()).await.expect("partial");
    assert_eq!((got.values, got.warnings.len()), (vec!["a".to_owned()], 3));
}

#[tokio::test]
async fn only_stores_that_the_call_names_are_asked() {
    let store = |value: &str| Faulty { first: Some(series(value)), then: Then::Nothing };
    let proxy = proxy(vec![member("s:1", store("a")), member("t:1", store("b"))]);
    let store_match = Arc::from([vec![Matcher::equal("__address__", "t:1")]]);
    let context = Context { store_match, ..Context::unlimited() };
    let mut frames = proxy.series(anything(), context).await.expect("starts");
    let frame = frames.next().await.expect("a frame").expect("no error");
    assert_eq!(frame, SeriesFrame::Batch(vec![series("b")]));
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn a_request_travels_with_its_tenant_and_a_batch_size_and_without_hints() {
    /// Answers with what it was asked.
    #[derive(Debug)]
    struct Echo;
    #[async_trait]
    impl Store for Echo {
        async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status> {
            let text = format!(
                "{TENANT_KEY}={:?} batch={} hints={} limit={}",
                context.tenant,
                request.response_batch_size,
                request.hints.is_some(),
                request.limit
            );
            Ok(stream::iter([Ok(SeriesFrame::Warning(text))]).boxed())
        }
        async fn label_names(&self, _: LabelNamesRequest, _: Context) -> Result<LabelNamesResponse, Status> {
            Ok(LabelNamesResponse::default())
        }
        async fn label_values(
            &self,
            _: LabelValuesRequest,
            _: Context,
        ) -> Result<LabelValuesResponse, Status> {
            Ok(LabelValuesResponse::default())
        }
        fn about(&self) -> About {
            modern()
        }
    }
    let served = serve(Arc::new(Echo));
    let proxy = proxy(vec![member("s:1", remote(&served, &Echo))]);
    let context = Context { tenant: Some("team-a".to_owned()), ..Context::unlimited() };
    let request = SeriesRequest { limit: 7, hints: Some(Default::default()), ..anything() };
    let mut frames = proxy.series(request, context).await.expect("starts");
    assert_eq!(
        frames.next().await.expect("a frame").expect("no error"),
        SeriesFrame::Warning("thanos-tenant=Some(\"team-a\") batch=64 hints=false limit=7".to_owned())
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let served = serve(script(Vec::new()));
    let gone = served.address;
    let store = remote(&served, &*script(Vec::new()));
    drop(served);
    // The port is free again only when the server's task has ended.
    tokio::time::timeout(Duration::from_secs(10), async {
        while tokio::net::TcpStream::connect(gone).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the server ends");
    let proxy = proxy(vec![member(&gone.to_string(), store)]);
    let (_, warnings) = collect(&proxy, anything()).await.expect("partial answers are allowed");
    let begin = format!(
        "fetch series for Store Gateway Addr: {gone} MinTime: 0 MaxTime: 100: rpc error: code = Unavailable desc = "
    );
    assert!(warnings.len() == 1 && warnings[0].starts_with(&begin), "{warnings:?}");
}

#[tokio::test]
async fn a_store_that_hangs_without_a_deadline_is_given_up_when_checks_of_its_health_fail() {
    let hanging = member("s:1", Faulty { first: Some(series("a")), then: Then::Hang });
    let conduct = hanging.conduct.clone();
    let checks = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            conduct.check_failed();
        }
    });
    let proxy = ProxyStore::new(Arc::new(vec![hanging]), ProxySettings::default());
    let (got, warnings) = collect(&proxy, anything()).await.expect("partial answers are allowed");
    checks.abort();
    assert_eq!(names(&got), ["a"]);
    assert_eq!(
        warnings,
        [
            "receive series from Addr: s:1 MinTime: 0 MaxTime: 100: rpc error: code = Unavailable desc = nothing comes, and the endpoint does not answer Info either"
        ]
    );
}
