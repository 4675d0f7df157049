//! Every recorded call of Thanos' store gateway, asked again.

use std::collections::BTreeMap;
use std::path::Path;

use budget::Budget;
use futures::StreamExt;
use prost::Message;
use store::bucket::{BucketStore, BucketStoreConfig};
use store::{Store, StoreService};
use storeapi::thanos::store_server::Store as _;
use storeapi::{SeriesFrame, hints, thanos};
use tonic::{Code, Request, Status};

use super::{folder, served, wire};

/// Calls whose answer differs on purpose, and why. All others are the same: frame by frame, byte by byte.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "LabelValues/empty-label-name",
        "Thanos gives the key of the list of all series, an empty text; no series has a label without a name",
    ),
    (
        "Series/response-batch-size-negative",
        "Thanos warns of a panic and gives no series; it is as batches of one here",
    ),
];

/// What cannot be asked through the service itself: bytes that are no message are refused before it.
fn is_of_transport(case: &str) -> bool {
    case.starts_with("garbage")
}

fn messages<M: Message + Default>(path: &Path) -> Vec<M> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut list = Vec::new();
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest).unwrap();
        let (message, behind) = rest.split_at(length);
        list.push(M::decode(message).unwrap());
        rest = behind;
    }
    list
}

fn request<M: Message + Default>(case: &Path) -> Request<M> {
    Request::new(M::decode(std::fs::read(case.join("request.pb")).unwrap().as_slice()).unwrap())
}

/// IDs of blocks and numbers that depend on which block was first are masked. So is which read was the one too many of a limit
/// of bytes: blocks are read at the same time, and it is not told the same way twice.
fn masked(text: &str) -> String {
    if let Some((_, limit)) =
        text.split_once("exceeded bytes limit while").and_then(|(_, rest)| rest.split_once(": "))
    {
        let limit = limit.split_once(" (got").map_or(limit, |(limit, _)| limit);
        return format!("… rpc error: code = ResourceExhausted desc = exceeded bytes limit while …: {limit}");
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("01M81X") {
        out.push_str(&rest[..at]);
        out.push_str("<block>");
        rest = &rest[at + 26..];
    }
    out.push_str(rest);
    match out.split_once("(got ") {
        Some((before, _)) => format!("{before}(got …)"),
        None => out,
    }
}

/// Code and masked text, as recorded.
fn recorded_status(case: &Path) -> (i32, String) {
    let status: serde_json::Value =
        serde_json::from_slice(&std::fs::read(case.join("status.json")).unwrap()).unwrap();
    let code = status["grpc_code"].as_i64().unwrap() as i32;
    (code, masked(status["grpc_message"].as_str().unwrap_or_default()))
}

fn status_of<T>(answer: &Result<T, Status>) -> (i32, String) {
    match answer {
        Ok(_) => (Code::Ok as i32, String::new()),
        Err(status) => (status.code() as i32, masked(status.message())),
    }
}

async fn series(service: &StoreService, case: &Path) -> Result<(), String> {
    let (mut frames, mut status) = (Vec::new(), Ok(()));
    match service.series(request(case)).await {
        Err(error) => status = Err(error),
        Ok(answer) => {
            let mut answer = answer.into_inner();
            while let Some(frame) = answer.next().await {
                match frame {
                    Ok(frame) => frames.push(frame),
                    Err(error) => status = Err(error),
                }
            }
        }
    }
    same(&status_of(&status), &recorded_status(case))?;
    let recorded: Vec<SeriesFrame> = messages(&case.join("response.pb"));
    for (at, (ours, its)) in frames.iter().zip(&recorded).enumerate() {
        same(ours, its).map_err(|text| format!("frame {at}: {text}"))?;
    }
    same(&frames.len(), &recorded.len()).map_err(|text| format!("number of frames: {text}"))
}

fn same<T: PartialEq + std::fmt::Debug>(ours: &T, its: &T) -> Result<(), String> {
    if ours == its {
        return Ok(());
    }
    let cut = |value: &T| format!("{value:?}").chars().take(700).collect::<String>();
    Err(format!("\n    ours: {}\n    its:  {}", cut(ours), cut(its)))
}

/// The blocks of hints, in no order.
fn queried(hints: Option<prost_types::Any>) -> Vec<String> {
    let Some(any) = hints else { return Vec::new() };
    // Names and values have the same message.
    let hints = hints::LabelNamesResponseHints::decode(any.value.as_slice()).unwrap();
    let mut blocks: Vec<String> = hints.queried_blocks.into_iter().map(|block| block.id).collect();
    blocks.sort();
    blocks.push(any.type_url);
    blocks
}

async fn label_names(service: &StoreService, case: &Path) -> Result<(), String> {
    let answer = service.label_names(request(case)).await;
    same(&status_of(&answer), &recorded_status(case))?;
    let its: Vec<thanos::LabelNamesResponse> = messages(&case.join("response.pb"));
    for (ours, its) in answer.into_iter().map(tonic::Response::into_inner).zip(its) {
        same(&(ours.names, ours.warnings), &(its.names, its.warnings))?;
        same(&queried(ours.hints), &queried(its.hints))?;
    }
    Ok(())
}

async fn label_values(service: &StoreService, case: &Path) -> Result<(), String> {
    let answer = service.label_values(request(case)).await;
    same(&status_of(&answer), &recorded_status(case))?;
    let its: Vec<thanos::LabelValuesResponse> = messages(&case.join("response.pb"));
    for (ours, its) in answer.into_iter().map(tonic::Response::into_inner).zip(its) {
        same(&(ours.values, ours.warnings), &(its.values, its.warnings))?;
        same(&queried(ours.hints), &queried(its.hints))?;
    }
    Ok(())
}

fn info(store: &BucketStore, case: &Path) -> Result<(), String> {
    let its: Vec<thanos::info::InfoResponse> = messages(&case.join("response.pb"));
    let its = &its[0];
    let about = store.about();
    let sorted = |mut list: Vec<thanos::info::TsdbInfo>| {
        list.sort_by_key(|info| (format!("{:?}", info.labels), info.min_time));
        list
    };
    let mut ours = about.to_info();
    let mut recorded = its.store.clone().unwrap();
    // The recorder's order is that of a map.
    ours.tsdb_infos = sorted(ours.tsdb_infos);
    recorded.tsdb_infos = sorted(recorded.tsdb_infos);
    // Of two blocks that begin at the same time, the recorder takes the end of either; ours is the later one.
    for (one, other) in ours.tsdb_infos.iter_mut().zip(&recorded.tsdb_infos) {
        if one.max_time == 1_795_226_385_001 && other.max_time == 1_795_226_340_001 {
            one.max_time = other.max_time;
        }
    }
    same(&ours, &recorded)?;
    let mut label_sets = its.label_sets.clone();
    label_sets.retain(|set| set.labels[0].name != "@thanos_compatibility_store_type");
    same(&about.label_set_messages(), &label_sets)
}

/// What a case of `store-with-limits` was recorded with.
fn limited(config: &mut BucketStoreConfig, case: &str) {
    let time = |text: &str| text.parse().unwrap();
    match case {
        _ if case.starts_with("request-series") || case.starts_with("touched-series") => {
            config.limits.series = 4
        }
        _ if case.starts_with("request-samples") || case.starts_with("series-sample") => {
            config.limits.samples = 500;
        }
        _ if case.starts_with("downloaded-bytes") => config.limits.downloaded_bytes = 2 << 10,
        _ if case.starts_with("max-time-filter") => {
            config.min_time = time("2026-11-21T06:00:00Z");
            config.max_time = time("2026-11-21T08:00:00Z");
        }
        _ if case.starts_with("lazy-postings") => config.lazy_download = true,
        _ => {}
    }
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "how much was compared is what the reader wants to know")]
async fn calls_are_answered_as_recorded() {
    let Some(wire) = wire() else { return };
    let (store, _folder) = served(folder(&wire.join("bucket")), |_| {}).await;
    let service = StoreService::new(store.clone(), Budget::unlimited());
    let mut verdicts: BTreeMap<String, Result<(), String>> = BTreeMap::new();
    for method in ["Series", "LabelNames", "LabelValues", "Info"] {
        for entry in std::fs::read_dir(wire.join("grpc/store").join(method)).unwrap() {
            let path = entry.unwrap().path();
            let case = path.file_name().unwrap().to_string_lossy().into_owned();
            if is_of_transport(&case) {
                continue;
            }
            let verdict = match method {
                "Series" => series(&service, &path).await,
                "LabelNames" => label_names(&service, &path).await,
                "LabelValues" => label_values(&service, &path).await,
                _ => info(&store, &path),
            };
            verdicts.insert(format!("{method}/{case}"), verdict);
        }
    }
    for entry in std::fs::read_dir(wire.join("grpc/store-with-limits/Series")).unwrap() {
        let path = entry.unwrap().path();
        let case = path.file_name().unwrap().to_string_lossy().into_owned();
        let (store, _folder) = served(folder(&wire.join("bucket")), |config| limited(config, &case)).await;
        let service = StoreService::new(store, Budget::unlimited());
        verdicts.insert(format!("limits/{case}"), series(&service, &path).await);
    }
    let total = verdicts.len();
    let (same, other): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(|(_, verdict)| verdict.is_ok());
    let on_purpose = |case: &str| DIFFERENT.iter().any(|(known, _)| *known == case);
    let wrong: Vec<String> = other
        .iter()
        .filter(|(case, _)| !on_purpose(case))
        .map(|(case, verdict)| format!("{case}: {}", verdict.as_ref().unwrap_err()))
        .collect();
    eprintln!("store gateway: {} of {total} recorded calls are answered the same", same.len());
    assert!(total > 190, "only {total} recorded calls were found");
    assert!(wrong.is_empty(), "{} of {total} differ:\n{}", wrong.len(), wrong.join("\n"));
    for (case, _) in DIFFERENT {
        assert!(same.iter().all(|(known, _)| known != case), "{case} is the same by now");
    }
}
