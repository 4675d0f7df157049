//! Completeness: what an answer says where one of two endpoints is up, down, slow, hung or gone from DNS, for endpoints whose data
//! a replica has too and for the only holder, with partial answers allowed and forbidden. Every cell of the table is asserted.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use querier::{Companions, FanOut, FanOutSettings};
use store::acceptance::{Dataset, END, START};
use store::{Context, Members, ProxySettings, ProxyStore, Store};
use storeapi::SeriesFrame;
use storeapi::thanos::label_matcher::Type;
use storeapi::thanos::{
    LabelMatcher, LabelNamesRequest, LabelValuesRequest, PartialResponseStrategy, RulesRequest, SeriesRequest,
};
use tonic::{Code, Status};

use super::fleet::{Fleet, Manner, Node, TIMEOUT};

/// What happened to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    Slow,
    /// Stopped, which the last `Info` has shown.
    Down,
    /// Stopped just now.
    DownUnnoticed,
    Hung,
    GoneFromDns,
}

const STATES: [State; 6] =
    [State::Up, State::Slow, State::Down, State::DownUnnoticed, State::Hung, State::GoneFromDns];

/// One place of the table.
#[derive(Debug, Clone, Copy)]
struct Cell {
    state: State,
    has_replica: bool,
    abort: bool,
}

impl Cell {
    fn is_complete(self) -> bool {
        matches!(self.state, State::Up | State::Slow)
    }

    fn strategy(self) -> i32 {
        let strategy =
            if self.abort { PartialResponseStrategy::Abort } else { PartialResponseStrategy::Warn };
        strategy.into()
    }

    /// The words that the warning has to have, besides the address.
    fn words(self) -> &'static str {
        match self.state {
            State::Up | State::Slow => "",
            State::Down => "the endpoint is unhealthy: rpc error: code = Unavailable desc = ",
            State::DownUnnoticed => "rpc error: code = Unavailable desc = ",
            State::Hung => "failed to receive any data in 400ms from ",
            State::GoneFromDns => "the address is no longer among those of dnssrv+_grpc._tcp.sidecar",
        }
    }
}

/// Two endpoints: the second is the one that something happens to. Its data: the same as the first's but for the replica label, or
/// a cluster of its own.
fn data(has_replica: bool) -> (Dataset, Dataset) {
    let one = Dataset::one();
    let mut two = Dataset::one();
    for (name, value) in two.parts.iter_mut().flat_map(|part| &mut part.external) {
        match name.as_str() {
            "replica" => "b".clone_into(value),
            "cluster" if !has_replica => "us".clone_into(value),
            _ => {}
        }
    }
    (one, two)
}

struct Stage {
    fleet: Fleet,
    _first: Node,
    _second: Option<Node>,
    second: SocketAddr,
}

impl Stage {
    async fn set(cell: Cell) -> Stage {
        let (one, two) = data(cell.has_replica);
        let (first, second) = (Node::start(one, "one"), Node::start(two, "two"));
        let address = second.address;
        let fleet = Fleet::new();
        fleet.resolve(&[first.address, address]);
        fleet.set.update().await;
        fleet.set.first_update().await;
        let mut kept = Some(second);
        match cell.state {
            State::Up => {}
            State::Slow | State::Hung => {
                let manner = if cell.state == State::Slow { Manner::Slowly } else { Manner::Never };
                *kept.as_ref().expect("running").manner.lock().expect("no panic") = manner;
            }
            State::Down => {
                kept.take().expect("running").stop().await;
                fleet.set.update().await;
            }
            State::DownUnnoticed => kept.take().expect("running").stop().await,
            State::GoneFromDns => {
                fleet.resolve(&[first.address]);
                fleet.set.update().await;
            }
        }
        Stage { fleet, _first: first, _second: kept, second: address }
    }

    fn proxy(&self) -> ProxyStore {
        let settings = ProxySettings { response_timeout: Some(TIMEOUT), ..ProxySettings::default() };
        ProxyStore::new(Arc::clone(&self.fleet.set) as Arc<dyn Members>, settings)
    }

    fn fan_out(&self) -> FanOut {
        let settings = FanOutSettings {
            replica_labels: vec!["replica".to_owned()],
            response_timeout: Some(TIMEOUT),
            ..FanOutSettings::default()
        };
        FanOut::new(Arc::clone(&self.fleet.set) as Arc<dyn Companions>, settings)
    }
}

fn up() -> Vec<LabelMatcher> {
    vec![LabelMatcher { r#type: Type::Eq.into(), name: "__name__".to_owned(), value: "up".to_owned() }]
}

async fn series(stage: &Stage, cell: Cell) -> Result<(BTreeSet<String>, Vec<String>), Status> {
    let request = SeriesRequest {
        min_time: START,
        max_time: END,
        matchers: up(),
        partial_response_strategy: cell.strategy(),
        without_replica_labels: vec!["replica".to_owned()],
        ..SeriesRequest::default()
    };
    let mut frames = stage.proxy().series(request, Context::unlimited()).await?;
    let (mut all, mut warnings) = (BTreeSet::new(), Vec::new());
    while let Some(frame) = frames.next().await {
        match frame? {
            SeriesFrame::Batch(batch) => {
                for series in batch {
                    assert!(!series.chunks.is_empty(), "a series without samples");
                    assert!(all.insert(format!("{:?}", series.labels)), "a series twice");
                }
            }
            SeriesFrame::Warning(text) => warnings.push(text),
            other => panic!("{other:?} was not expected"),
        }
    }
    Ok((all, warnings))
}

/// Judges one answer: what it has, and what it says about what it lacks.
fn judge(
    cell: Cell,
    stage: &Stage,
    what: &str,
    answer: Result<(usize, Vec<String>), Status>,
    (complete, partial): (usize, usize),
) {
    let place = format!("{what} in {cell:?}");
    let names_the_endpoint = |text: &str| {
        assert!(text.contains(&stage.second.to_string()), "{place}: {text} does not say which endpoint");
    };
    match answer {
        Ok((count, warnings)) if cell.is_complete() => {
            assert_eq!((count, warnings), (complete, Vec::new()), "{place}");
        }
        Ok((count, warnings)) => {
            assert!(!cell.abort, "{place}: an answer that lacks something");
            assert_eq!(count, partial, "{place}");
            assert_eq!(warnings.len(), 1, "{place}: {warnings:?}");
            names_the_endpoint(&warnings[0]);
            if what == "series" {
                assert!(warnings[0].contains(cell.words()), "{place}: {}", warnings[0]);
            }
        }
        Err(status) => {
            assert!(cell.abort && !cell.is_complete(), "{place}: {status:?}");
            let known = [Code::Aborted, Code::Unavailable, Code::DeadlineExceeded];
            assert!(known.contains(&status.code()), "{place}: {status:?}");
            names_the_endpoint(status.message());
        }
    }
}

async fn assert_cell(cell: Cell) {
    let stage = Stage::set(cell).await;
    // 9 series of `up` in each cluster.
    let partial = 9;
    let complete = if cell.has_replica { 9 } else { 18 };
    let got = series(&stage, cell).await.map(|(all, warnings)| (all.len(), warnings));
    judge(cell, &stage, "series", got, (complete, partial));

    let request = LabelNamesRequest {
        start: START,
        end: END,
        matchers: up(),
        partial_response_strategy: cell.strategy(),
        ..LabelNamesRequest::default()
    };
    let got = stage.proxy().label_names(request, Context::unlimited()).await;
    judge(cell, &stage, "names", got.map(|got| (got.names.len(), got.warnings)), (5, 5));

    let request = LabelValuesRequest {
        label: "cluster".to_owned(),
        start: START,
        end: END,
        partial_response_strategy: cell.strategy(),
        ..LabelValuesRequest::default()
    };
    let got = stage.proxy().label_values(request, Context::unlimited()).await;
    let clusters = if cell.has_replica { 1 } else { 2 };
    judge(cell, &stage, "values", got.map(|got| (got.values.len(), got.warnings)), (clusters, 1));

    let request = RulesRequest { partial_response_strategy: cell.strategy(), ..RulesRequest::default() };
    let got = stage.fan_out().rules(request, Context::unlimited()).await;
    judge(cell, &stage, "rules", got.map(|(groups, warnings)| (groups.len(), warnings)), (2, 1));
}

#[tokio::test]
async fn every_cell_of_the_table() {
    let mut cells = Vec::new();
    for state in STATES {
        for has_replica in [true, false] {
            for abort in [false, true] {
                cells.push(assert_cell(Cell { state, has_replica, abort }));
            }
        }
    }
    assert_eq!(cells.len(), 24);
    futures::future::join_all(cells).await;
}

/// What cannot have been affected is not warned about.
#[tokio::test]
async fn an_endpoint_that_is_away_is_not_told_where_it_had_nothing() {
    let cell = Cell { state: State::Down, has_replica: false, abort: true };
    let stage = Stage::set(cell).await;
    let matcher = |name: &str, value: &str| LabelMatcher {
        r#type: Type::Eq.into(),
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let request = |matchers, min_time, max_time| SeriesRequest {
        matchers,
        min_time,
        max_time,
        partial_response_strategy: PartialResponseStrategy::Abort.into(),
        ..SeriesRequest::default()
    };
    let eu = request(vec![matcher("__name__", "up"), matcher("cluster", "eu")], START, END);
    let us = request(vec![matcher("__name__", "up"), matcher("cluster", "us")], START, END);
    let early = request(vec![matcher("__name__", "up")], 0, START - 1);
    for (request, fails) in [(eu, false), (us, true), (early, false)] {
        let answered = stage.proxy().series(request.clone(), Context::unlimited()).await;
        assert_eq!(answered.is_err(), fails, "{request:?}");
    }
}
