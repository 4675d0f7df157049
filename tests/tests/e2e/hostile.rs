//! Requests that nobody sane would send, to each component of the read path: they are answered in documented codes, nothing
//! panics, and nothing grows.
//!
//! `PRONOIA_HOSTILE` is the number of HTTP requests and of gRPC messages for each component, 1,000 when it is not set.
#![expect(clippy::print_stderr, reason = "says how many there were of each code")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use storeapi::thanos::{
    ExemplarsRequest, LabelMatcher, LabelNamesRequest, LabelValuesRequest, MetricMetadataRequest,
    QueryRangeRequest, QueryRequest, RulesRequest, SeriesRequest, ShardInfo, TargetsRequest,
    TsdbStatisticsRequest,
};
use tests::read_path::{ReadPath, now};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// A component may hold no more than this: small data, so nothing that grows with requests.
const MEMORY_MAX: u64 = 400 << 20;

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// The message with some bytes changed, cut out, put in or repeated.
    fn damaged(&mut self, message: &[u8]) -> Vec<u8> {
        let mut bytes = message.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => bytes.truncate(at),
                2 => bytes.insert(at, *self.of(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'{', 0x0a])),
                3 if at < bytes.len() => drop(bytes.remove(at)),
                4 => bytes.splice(at..at, [0xff; 9]).for_each(drop),
                _ => {
                    let piece = bytes[at.min(bytes.len())..].to_vec();
                    bytes.splice(at..at, piece).for_each(drop);
                }
            }
        }
        bytes
    }
}

/// Sends bytes as they are, and gives back what came, unread.
#[derive(Debug, Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Calls, and good messages for them.
fn calls() -> Vec<(&'static str, Vec<u8>)> {
    let now = now() as i64;
    let matcher = |kind: i32, name: &str, value: &str| LabelMatcher {
        r#type: kind,
        name: name.to_string(),
        value: value.to_string(),
    };
    let matchers = vec![matcher(2, "__name__", "test_.*|seed_.*"), matcher(1, "pod", "p3")];
    let shard_info =
        Some(ShardInfo { shard_index: 0, total_shards: 2, by: true, labels: vec!["pod".to_string()] });
    let series = SeriesRequest {
        min_time: (now - 200_000) * 1000,
        max_time: now * 1000,
        matchers: matchers.clone(),
        aggregates: vec![0, 1],
        shard_info,
        without_replica_labels: vec!["replica".to_string()],
        limit: 1000,
        response_batch_size: 64,
        ..SeriesRequest::default()
    };
    let names = LabelNamesRequest {
        start: 0,
        end: now * 1000,
        matchers: matchers.clone(),
        limit: 10,
        ..Default::default()
    };
    let values = LabelValuesRequest {
        label: "pod".to_string(),
        end: now * 1000,
        matchers,
        limit: 10,
        ..Default::default()
    };
    let query = "sum by (pod) (rate(test_requests_total[1m])) > 0 or vector(1)".to_string();
    let instant = QueryRequest {
        query: query.clone(),
        time_seconds: now,
        timeout_seconds: 5,
        replica_labels: vec!["replica".to_string()],
        enable_dedup: true,
        ..Default::default()
    };
    let range = QueryRangeRequest {
        query: query.clone(),
        start_time_seconds: now - 60,
        end_time_seconds: now,
        interval_seconds: 5,
        timeout_seconds: 5,
        ..Default::default()
    };
    let exemplars = ExemplarsRequest { query, start: 0, end: now * 1000, partial_response_strategy: 0 };
    vec![
        ("/thanos.Store/Series", series.encode_to_vec()),
        ("/thanos.Store/LabelNames", names.encode_to_vec()),
        ("/thanos.Store/LabelValues", values.encode_to_vec()),
        ("/thanos.info.Info/Info", Vec::new()),
        ("/thanos.Rules/Rules", RulesRequest::default().encode_to_vec()),
        (
            "/thanos.Targets/Targets",
            TargetsRequest { state: 1, partial_response_strategy: 1 }.encode_to_vec(),
        ),
        (
            "/thanos.Metadata/MetricMetadata",
            MetricMetadataRequest { limit: -1, ..Default::default() }.encode_to_vec(),
        ),
        ("/thanos.Exemplars/Exemplars", exemplars.encode_to_vec()),
        (
            "/thanos.Status/TSDBStatistics",
            TsdbStatisticsRequest { limit: 10, ..Default::default() }.encode_to_vec(),
        ),
        ("/thanos.Query/Query", instant.encode_to_vec()),
        ("/thanos.Query/QueryRange", range.encode_to_vec()),
        ("/thanos.Nothing/Nothing", vec![1, 2, 3]),
    ]
}

/// One call with a stream of answers, read to its end.
async fn call(channel: &Channel, method: &'static str, message: Bytes) -> Code {
    let mut client = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(1 << 30);
    if let Err(error) = client.ready().await {
        panic!("{method}: the connection is gone: {error}");
    }
    let path = method.parse().expect("a path");
    let answer = client.server_streaming(tonic::Request::new(message), path, Raw).await;
    let mut frames = match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) => return status.code(),
    };
    loop {
        match frames.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return Code::Ok,
            Err(status) => return status.code(),
        }
    }
}

/// What a caller may have to deal with. Not found is what a sidecar makes of Prometheus' 404.
const DOCUMENTED: [Code; 10] = [
    Code::Ok,
    Code::NotFound,
    Code::InvalidArgument,
    Code::Internal,
    Code::Aborted,
    Code::Unknown,
    Code::Unimplemented,
    Code::ResourceExhausted,
    Code::DeadlineExceeded,
    Code::Unavailable,
];

#[test]
fn hostile_requests_are_answered_and_harm_nobody() {
    let many: usize = std::env::var("PRONOIA_HOSTILE").map_or(1_000, |text| text.parse().expect("a number"));
    let mut path = ReadPath::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let calls = calls();
    let mut chance = Chance(0x5eed);
    for name in ["store", "sidecar-0", "query"] {
        let endpoint = Channel::from_shared(path.grpc_url(name)).expect("a URL");
        let channel = runtime.block_on(endpoint.connect()).expect("a connection");
        let mut codes: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..many {
            let (method, message) = chance.of(&calls);
            let message = Bytes::from(chance.damaged(message));
            let answer = call(&channel, method, message.clone());
            let code =
                runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), answer).await });
            let code = code.unwrap_or_else(|_| panic!("{name} {method} does not answer {message:?}"));
            assert!(DOCUMENTED.contains(&code), "{name} {method} {message:?}: {code:?}");
            *codes.entry(format!("{code:?}")).or_default() += 1;
        }
        eprintln!("{name}, gRPC: {codes:?}");
        let port = path.url(name).rsplit(':').next().expect("a port").parse().expect("a number");
        let mut codes: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..many {
            let request = http_request(&mut chance);
            let status = http_status(port, &request);
            let documented = [
                "200", "204", "302", "400", "404", "405", "413", "414", "422", "431", "500", "501", "503",
                "505", "closed",
            ];
            let shown = String::from_utf8_lossy(&request);
            assert!(documented.contains(&status.as_str()), "{name}: {status} for {shown}");
            *codes.entry(status).or_default() += 1;
        }
        eprintln!("{name}, HTTP: {codes:?}");
        let process = path.processes.get_mut(name).expect("a process");
        assert!(process.runs(), "{name} has ended:\n{}", process.said());
        assert!(!process.log().contains("panicked"), "{name}:\n{}", process.said());
        let peak = process.peak_memory();
        eprintln!("{name}: {} MB at most", peak >> 20);
        assert!(peak < MEMORY_MAX, "{name} held {peak} bytes");
        path.ready(name);
    }
}

fn http_request(chance: &mut Chance) -> Vec<u8> {
    const PATHS: [&str; 16] = [
        "/api/v1/query",
        "/api/v1/query_range",
        "/api/v1/series",
        "/api/v1/labels",
        "/api/v1/label/pod/values",
        "/api/v1/label/%ff/values",
        "/api/v1/stores",
        "/api/v1/rules",
        "/api/v1/targets",
        "/api/v1/metadata",
        "/api/v1/query_exemplars",
        "/api/v1/status/tsdb",
        "/api/v1/format_query",
        "/metrics",
        "/-/ready",
        "/",
    ];
    const KEYS: [&str; 16] = [
        "query",
        "start",
        "end",
        "step",
        "time",
        "match[]",
        "dedup",
        "partial_response",
        "max_source_resolution",
        "replicaLabels[]",
        "storeMatch[]",
        "limit",
        "timeout",
        "lookback_delta",
        "shard_info",
        "stats",
    ];
    const VALUES: [&str; 18] = [
        "up",
        "rate(test_requests_total%5B1m%5D)",
        "%7B__name__%3D~%22.%2B%22%7D",
        "1e308",
        "-1",
        "NaN",
        "0",
        "1h",
        "9223372036854775807",
        "true",
        "",
        "%00",
        "%ff%fe",
        "((((((((",
        "sum(",
        "2024-01-01T00:00:00Z",
        "%7B%22shard_index%22%3A1%2C%22total_shards%22%3A0%7D",
        "1700000000",
    ];
    let pairs: Vec<String> =
        (0..chance.below(6)).map(|_| format!("{}={}", chance.of(&KEYS), chance.of(&VALUES))).collect();
    let (path, query) = (*chance.of(&PATHS), pairs.join("&"));
    let host = "Host: 127.0.0.1\r\nConnection: close\r\n";
    let request = if chance.below(2) == 0 {
        format!("GET {path}?{query} HTTP/1.1\r\n{host}\r\n")
    } else {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        format!("POST {path} HTTP/1.1\r\n{host}{kind}Content-Length: {}\r\n\r\n{query}", query.len())
    };
    match chance.below(3) {
        0 => chance.damaged(request.as_bytes()),
        _ => request.into_bytes(),
    }
}

/// The status of the answer, or that the connection was closed without one, as is due to what is no HTTP.
fn http_status(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let _ = stream.write_all(request);
    // Whoever sends half a request goes away.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("no answer to {}: {error}", String::from_utf8_lossy(request)),
    }
    let text = String::from_utf8_lossy(&answer);
    text.strip_prefix("HTTP/1.1 ")
        .or(text.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3))
        .map_or_else(|| "closed".to_string(), String::from)
}
