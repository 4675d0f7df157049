//! Every recorded call of the StoreAPI of Thanos' querier, which asked a sidecar, a receiver, a ruler and a store gateway, asked
//! again over stores that have the series which it found.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads recordings and says what was compared"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use budget::Budget;
use futures::StreamExt;
use futures::stream;
use prost::Message;
use store::{About, Context, Frames, Member, ProxySettings, ProxyStore, Store, StoreService};
use storeapi::info::InfoResponse;
use storeapi::thanos::store_server::Store as _;
use storeapi::thanos::{
    LabelMatcher, LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse,
    SeriesRequest,
};
use storeapi::{AggrChunk, LabelBytes, Series, SeriesFrame, Shard};
use tonic::{Code, Request, Status};

/// Calls whose answer differs on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "Series/empty-matching-matchers-only",
        "Thanos counts a warning as one of the series that the limit allows",
    ),
    (
        "Series/response-batch-size-negative",
        "Thanos warns of a panic and gives no series; it is as batches of one here",
    ),
];

/// The components behind the querier, and where they listened.
const COMPONENTS: [(&str, &str); 4] = [
    ("sidecar", "127.0.0.1:31103"),
    ("receive", "127.0.0.1:31113"),
    ("rule", "127.0.0.1:31133"),
    ("store", "127.0.0.1:31143"),
];

fn messages<M: Message + Default>(path: &Path) -> Vec<M> {
    let mut rest = bytes::Bytes::from(std::fs::read(path).unwrap_or_default());
    let mut list = Vec::new();
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest).expect("a length");
        list.push(M::decode(rest.split_to(length)).expect("a message"));
    }
    list
}

/// Code and text of a recorded call.
fn status(case: &Path) -> (i32, String) {
    let status = std::fs::read(case.join("status.json")).expect("a status");
    let status: serde_json::Value = serde_json::from_slice(&status).expect("JSON");
    let code = i32::try_from(status["grpc_code"].as_i64().unwrap_or(0)).expect("a code");
    (code, status["grpc_message"].as_str().unwrap_or_default().to_owned())
}

fn series_of(frames: Vec<SeriesFrame>) -> (Vec<Series>, Vec<String>) {
    let (mut series, mut warnings) = (Vec::new(), Vec::new());
    for frame in frames {
        match frame {
            SeriesFrame::Series(one) => series.push(one),
            SeriesFrame::Batch(batch) => series.extend(batch),
            SeriesFrame::Warning(text) => warnings.push(text),
            SeriesFrame::Hints(_) => {}
        }
    }
    (series, warnings)
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("recordings").map(|case| case.expect("a case").path()).collect();
    // Bytes that are no message are refused before the service.
    cases.retain(|case| !name(case).starts_with("garbage"));
    cases.sort();
    cases
}

fn name(case: &Path) -> String {
    case.file_name().expect("a name").to_string_lossy().into_owned()
}

/// One component: what it has, and what it refused in the same case.
#[derive(Debug)]
struct Component {
    kind: &'static str,
    folder: PathBuf,
    about: About,
    series: BTreeMap<LabelBytes, Vec<AggrChunk>>,
    case: String,
}

impl Component {
    /// The error that the component answered in the case, unless it was about hints, which queriers do not pass on.
    fn refusal(&self, method: &str) -> Result<PathBuf, Status> {
        let case = self.folder.join(method).join(&self.case);
        let (code, text) = status(&case);
        if code == 0 || self.case.starts_with("hints") {
            Ok(case)
        } else {
            Err(Status::new(Code::from(code), text))
        }
    }
}

impl Component {
    fn matching(&self, matchers: &[LabelMatcher]) -> impl Iterator<Item = (&LabelBytes, &Vec<AggrChunk>)> {
        let matchers = storeapi::from_wire(matchers).expect("the proxy has read them");
        self.series.iter().filter(move |(labels, _)| {
            matchers.iter().all(|matcher| {
                let value = labels.get(matcher.name().as_bytes()).unwrap_or_default();
                matcher.matches(&String::from_utf8_lossy(value))
            })
        })
    }
}

#[async_trait]
impl Store for Component {
    async fn series(&self, request: SeriesRequest, _: Context) -> Result<Frames, Status> {
        self.refusal("Series")?;
        let is_sidecar = self.kind == "sidecar";
        // As the README of the recordings says.
        if is_sidecar && (request.min_time >= request.max_time || request.min_time == i64::MIN) {
            return Ok(stream::empty().boxed());
        }
        let only_labels = is_sidecar && request.skip_chunks;
        let shard = Shard::new(request.shard_info.as_ref()).filter(|_| !only_labels);
        let mut found: BTreeMap<LabelBytes, Vec<AggrChunk>> = BTreeMap::new();
        for (labels, chunks) in self.matching(&request.matchers) {
            let gone = |name: &[u8]| {
                let is_named = request.without_replica_labels.iter().any(|gone| gone.as_bytes() == name);
                // Then the original takes off external labels only.
                is_named && (!only_labels || name == b"replica")
            };
            let labels = labels.without(gone);
            if shard.as_ref().is_none_or(|shard| shard.has(&labels)) {
                found.entry(labels).or_default().extend(chunks.iter().cloned());
            }
        }
        let series = found.into_iter().map(|(labels, chunks)| {
            let chunks = if request.skip_chunks { Vec::new() } else { chunks };
            Ok(SeriesFrame::Series(Series { labels, chunks }))
        });
        Ok(stream::iter(series.collect::<Vec<_>>()).boxed())
    }

    async fn label_names(
        &self,
        request: LabelNamesRequest,
        _: Context,
    ) -> Result<LabelNamesResponse, Status> {
        let case = self.refusal("LabelNames")?;
        // The ruler was asked for other series.
        if self.kind == "rule" && !request.matchers.is_empty() {
            return Ok(LabelNamesResponse::default());
        }
        Ok(messages(&case.join("response.pb")).pop().unwrap_or_default())
    }

    async fn label_values(
        &self,
        request: LabelValuesRequest,
        _: Context,
    ) -> Result<LabelValuesResponse, Status> {
        let case = self.refusal("LabelValues")?;
        // Receiver and ruler were asked for external labels of their own, or for other series.
        let is_external = self.case.starts_with("external") && self.kind != "sidecar";
        let is_other = self.kind == "rule" && (!request.matchers.is_empty() || request.label == "room");
        if is_external || is_other {
            let known = self.matching(&request.matchers).filter_map(|(labels, _)| {
                labels.get(request.label.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
            });
            return Ok(LabelValuesResponse {
                values: texts(known.collect()),
                ..LabelValuesResponse::default()
            });
        }
        Ok(messages(&case.join("response.pb")).pop().unwrap_or_default())
    }

    fn about(&self) -> About {
        self.about.clone()
    }
}

/// Whose a series is.
fn owner(labels: &LabelBytes) -> &'static str {
    let get = |name: &str| labels.get(name.as_bytes()).unwrap_or_default();
    match (get("cluster"), get("receive")) {
        (b"rules", _) => "rule",
        (_, b"true") => "receive",
        (b"one", _) => "sidecar",
        _ => "store",
    }
}

/// Everything that the querier ever found, by component; of series that grow the longest version.
fn found(query: &Path) -> BTreeMap<&'static str, BTreeMap<LabelBytes, Vec<AggrChunk>>> {
    let mut all: BTreeMap<&'static str, BTreeMap<LabelBytes, Vec<AggrChunk>>> = BTreeMap::new();
    for case in cases(&query.join("Series")) {
        if name(&case).starts_with("without-replica-labels") {
            continue;
        }
        for series in series_of(messages(&case.join("response.pb"))).0 {
            let known = all.entry(owner(&series.labels)).or_default().entry(series.labels).or_default();
            let end = |chunks: &[AggrChunk]| chunks.last().map(|chunk| chunk.max_time);
            if end(&series.chunks) > end(known) {
                *known = series.chunks;
            }
        }
    }
    all
}

fn proxy(wire: &Path, case: &Path) -> StoreService {
    let all = found(&wire.join("query"));
    let member = |(kind, address): (&'static str, &str)| {
        let folder = wire.join(kind);
        let info: InfoResponse =
            messages(&folder.join("Info/info/response.pb")).pop().expect("an answer of Info");
        let about = About::from_info(&info.label_sets, &info.store.expect("a store"));
        let series = all.get(kind).cloned().unwrap_or_default();
        let component = Component { kind, folder, about: about.clone(), series, case: name(case) };
        Member::open(address, about, Arc::new(component))
    };
    let members: Vec<Member> = COMPONENTS.into_iter().map(member).collect();
    let proxy = ProxyStore::new(Arc::new(members), ProxySettings::default());
    StoreService::new(Arc::new(proxy), Budget::unlimited())
}

fn request<M: Message + Default>(case: &Path) -> Request<M> {
    let bytes = std::fs::read(case.join("request.pb")).expect("a request");
    Request::new(M::decode(bytes.as_slice()).expect("a message"))
}

type Answer<T> = (i32, String, T);

fn answer<T: Default>(outcome: Result<T, Status>) -> Answer<T> {
    match outcome {
        Ok(answer) => (0, String::new(), answer),
        Err(status) => (status.code().into(), status.message().to_owned(), T::default()),
    }
}

/// Labels, when the chunks begin and how many there are, warnings. Where series end is left out: they were still written to.
type Told = (Vec<(String, Vec<i64>)>, Vec<String>);

fn told(frames: Vec<SeriesFrame>) -> Told {
    let (series, warnings) = series_of(frames);
    let one = |series: Series| {
        let starts = series.chunks.iter().map(|chunk| chunk.min_time).collect();
        (format!("{:?}", series.labels), starts)
    };
    (series.into_iter().map(one).collect(), warnings)
}

async fn series(service: &StoreService, case: &Path) -> (Answer<Told>, Answer<Told>) {
    let asked = async {
        let frames = service.series(request(case)).await?.into_inner().collect::<Vec<_>>().await;
        Ok(told(frames.into_iter().collect::<Result<_, Status>>()?))
    };
    let (code, text) = status(case);
    (answer(asked.await), (code, text, told(messages(&case.join("response.pb")))))
}

/// Sorted, each once: Thanos' querier gives a name twice where two stores have it.
fn texts(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.dedup();
    texts
}

#[tokio::test]
async fn recorded_calls() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so the proxy was not compared with recordings");
        return;
    };
    let wire = Path::new(&shared).join("fixtures/wire/grpc");
    let (mut total, mut on_purpose, mut wrong) = (0, 0, Vec::new());
    for method in ["Series", "LabelNames", "LabelValues"] {
        for case in cases(&wire.join("query").join(method)) {
            let service = proxy(&wire, &case);
            let (code, text) = status(&case);
            let (got, wanted) = match method {
                "Series" => {
                    let (got, wanted) = series(&service, &case).await;
                    (format!("{got:?}"), format!("{wanted:?}"))
                }
                "LabelNames" => {
                    let got = service.label_names(request(&case)).await.map(tonic::Response::into_inner);
                    let got = answer(got.map(|got| (texts(got.names), got.warnings)));
                    let wanted: LabelNamesResponse =
                        messages(&case.join("response.pb")).pop().unwrap_or_default();
                    (
                        format!("{got:?}"),
                        format!("{:?}", (code, text, (texts(wanted.names), wanted.warnings))),
                    )
                }
                _ => {
                    let got = service.label_values(request(&case)).await.map(tonic::Response::into_inner);
                    let got = answer(got.map(|got| (texts(got.values), got.warnings)));
                    let wanted: LabelValuesResponse =
                        messages(&case.join("response.pb")).pop().unwrap_or_default();
                    (
                        format!("{got:?}"),
                        format!("{:?}", (code, text, (texts(wanted.values), wanted.warnings))),
                    )
                }
            };
            total += 1;
            let name = format!("{method}/{}", name(&case));
            if DIFFERENT.iter().any(|(known, _)| *known == name) {
                on_purpose += 1;
            } else if got != wanted {
                wrong.push(format!("{name}:\n    {got}\n    {wanted}"));
            }
        }
    }
    let equal = total - on_purpose - wrong.len();
    eprintln!("StoreAPI of the querier: {equal} of {total} as recorded, {on_purpose} differ on purpose");
    assert!(total > 120, "only {total} calls");
    assert!(wrong.is_empty(), "{} of {total}:\n{}", wrong.len(), wrong.join("\n"));
}
