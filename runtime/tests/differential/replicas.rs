//! Random queries over series that lie in pieces with two replicas, of which each lacks some: the older half in a bucket behind the store
//! gateway, the newer one in two Prometheis behind sidecars. The querier answers what the engine does over all of it in one block.
//! `PRONOIA_REPLICAS_QUERIES` sets how many, `PRONOIA_DIFFERENTIAL_SEED` which.
#![expect(clippy::print_stderr, reason = "what was asked must be seen")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use block::Meta;
use serde_json::Value;

use super::client::Client;
use super::compare::{Answer, first_difference};
use super::data::{self, LENGTH, Part, START};
use super::query::Generator;
use super::{Server, free_address, number};

const QUERIES: usize = 1_000;
const CLUSTER: &str = "one";

/// Both replicas have most series; each lacks some that the other has.
fn has(replica: &str) -> impl Fn(usize) -> bool {
    let lacks = if replica == "a" { 2 } else { 4 };
    move |series| series % 7 != lacks
}

fn component(name: &str, arguments: &[String]) -> (Server, String) {
    let (http, grpc) = (free_address(), free_address());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pronoiad"));
    command.arg(name).args(arguments);
    command.arg(format!("--http-address={http}")).arg(format!("--grpc-address={grpc}"));
    (Server::start(command, http), grpc)
}

/// The older half of a replica, as its sidecar would have uploaded it.
fn upload(seed: u64, bucket: &Path, replica: &str, number: u128) {
    let part = Part { number, cluster: "", has: &has(replica), times: (START, START + LENGTH / 2) };
    let id = data::write(seed, bucket, &part);
    let path = bucket.join(id.to_string()).join("meta.json");
    let mut meta = Meta::from_bytes(&fs::read(&path).expect("metadata")).expect("metadata");
    let labels = [("cluster", CLUSTER), ("replica", replica)];
    meta.thanos.labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    fs::write(&path, meta.to_bytes().expect("metadata")).expect("a file");
}

/// How many endpoints the querier knows and can ask.
fn endpoints_up(client: &mut Client) -> usize {
    let Some((200, body)) = client.get("/api/v1/stores") else { return 0 };
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let all = body["data"].as_object().into_iter().flatten();
    let endpoints = all.flat_map(|(_, of_kind)| of_kind.as_array().into_iter().flatten());
    endpoints.filter(|endpoint| endpoint["lastError"].is_null()).count()
}

#[test]
fn replicas_in_bucket_and_prometheus_give_what_the_engine_does_over_all_of_it() {
    let seed = number("PRONOIA_DIFFERENTIAL_SEED", 1) as u64;
    let queries = number("PRONOIA_REPLICAS_QUERIES", QUERIES);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).expect("a folder");
        path
    };
    data::write(seed, &path("all"), &Part { cluster: CLUSTER, ..Part::ALL });
    let whole = Server::over_blocks(&path("all"));

    let mut running = Vec::new();
    let mut endpoints = Vec::new();
    for (number, replica) in [(1, "a"), (2, "b")] {
        upload(seed, &path("bucket"), replica, number);
        let data = path(&format!("prometheus-{replica}"));
        let times = (START + LENGTH / 2, START + LENGTH + 2_000);
        data::write(seed, &data, &Part { number, cluster: "", has: &has(replica), times });
        let labels = format!("{{cluster: {CLUSTER}, replica: {replica}}}");
        let prometheus = Server::prometheus(&data, &labels);
        let url = format!("--prometheus.url=http://{}", prometheus.address);
        let (sidecar, grpc) = component("sidecar", &[url, format!("--tsdb.path={}", data.display())]);
        running.extend([prometheus, sidecar]);
        endpoints.push(format!("--endpoint={grpc}"));
    }
    let bucket = format!("type: FILESYSTEM\nconfig: {{directory: {:?}}}\n", path("bucket"));
    let cache = format!("--data-dir={}", path("cache").display());
    let (store, grpc) = component("store", &[format!("--objstore.config={bucket}"), cache]);
    running.push(store);
    endpoints.push(format!("--endpoint={grpc}"));
    let replica_label = "--query.replica-label=replica".to_owned();
    let (querier, _) = component("query", &[endpoints, vec![replica_label]].concat());
    let (mut merged, mut one) = (Client::new(&querier.address), Client::new(&whole.address));
    let begun = Instant::now();
    while endpoints_up(&mut merged) < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the querier does not find all endpoints");
        std::thread::sleep(Duration::from_millis(50));
    }

    let mut generator = Generator::new(seed);
    let (mut empty, mut failed, mut different) = (0, 0, Vec::new());
    for _ in 0..queries {
        let asked = generator.next_query();
        let path = asked.path();
        let ordered = asked.range.is_none() && asked.query.starts_with("sort");
        let answers = [&mut one, &mut merged].map(|client| {
            let answer = client.get(&path).unwrap_or_else(|| panic!("no answer: {asked}"));
            Answer::new(&answer, ordered)
        });
        let [expected, found] = answers;
        empty += usize::from(expected.is_empty());
        failed += usize::from(matches!(expected, Answer::Failed(..)));
        if !expected.same(&found) {
            different.push(format!("{asked}: {}", first_difference(&expected, &found)));
        }
    }
    eprintln!("{queries} queries: {failed} errors, {empty} empty, {} different", different.len());
    assert!(
        different.is_empty(),
        "{} of {queries} differ, among them:\n{:#?}",
        different.len(),
        different.get(..20.min(different.len()))
    );
    // A generator of queries that find nothing would prove nothing.
    assert!(empty + failed < queries / 2, "too many queries find nothing");
}
