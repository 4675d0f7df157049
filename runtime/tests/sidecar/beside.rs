//! What a querier asks of the sidecar, compared with what Prometheus says itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use storeapi::info::InfoRequest;
use storeapi::info::info_client::InfoClient;
use storeapi::thanos::exemplars_client::ExemplarsClient;
use storeapi::thanos::label_matcher::Type;
use storeapi::thanos::metadata_client::MetadataClient;
use storeapi::thanos::rules_client::RulesClient;
use storeapi::thanos::status_client::StatusClient;
use storeapi::thanos::store_client::StoreClient;
use storeapi::thanos::targets_client::TargetsClient;
use storeapi::thanos::{
    ExemplarsRequest, LabelMatcher, LabelNamesRequest, LabelValuesRequest, MetricMetadataRequest,
    RulesRequest, SeriesRequest, TargetsRequest, TsdbStatisticsRequest, rules_response, targets_response,
};
use storeapi::{Chunk, Series, SeriesFrame};
use tonic::transport::Channel;
use tsdb::chunk::{Columns, Encoding, Order, decode_floats};

use super::pair::{BLOCKS, PODS, Pair, START, STEP, get, status, value};

fn matcher(kind: Type, name: &str, value: &str) -> LabelMatcher {
    LabelMatcher { r#type: kind.into(), name: name.to_owned(), value: value.to_owned() }
}

async fn series(client: &mut StoreClient<Channel>, request: SeriesRequest) -> Vec<Series> {
    let mut stream = client.series(request).await.expect("an answer").into_inner();
    let mut all = Vec::new();
    while let Some(frame) = stream.message().await.expect("a frame") {
        match frame {
            SeriesFrame::Series(series) => all.push(series),
            SeriesFrame::Batch(list) => all.extend(list),
            other => panic!("{other:?}"),
        }
    }
    all
}

fn samples(series: &Series) -> Vec<(i64, f64)> {
    let mut columns = Columns::default();
    for chunk in &series.chunks {
        for (_, data) in chunk.parts.iter() {
            assert_eq!(data.encoding, Chunk::XOR);
            assert_eq!(*data, Chunk::hashed(data.encoding, data.data.clone()));
            decode_floats(Encoding::Xor, &data.data, Order::Rising, &mut columns).expect("a chunk");
        }
    }
    columns.iter().collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The bits of a value; JSON knows only one NaN.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

async fn channel(pair: &Pair) -> Channel {
    Channel::from_shared(format!("http://{}", pair.grpc_address))
        .expect("an address")
        .connect()
        .await
        .expect("it listens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_querier_sees_what_prometheus_has_with_the_external_labels() {
    let mut pair = Pair::new();
    pair.start_sidecar(false);
    pair.until("it is healthy without Prometheus", || status(&pair.http_address, "/-/healthy") == Some(200));
    assert_eq!(pair.ready(), Some(503));
    pair.start_prometheus();
    pair.until("it is ready", || pair.ready() == Some(200));
    let channel = channel(&pair).await;
    let mut store = StoreClient::new(channel.clone()).max_decoding_message_size(1 << 30);

    blocks(&mut store).await;
    scraped(&pair, &mut store).await;
    labels(&mut store).await;
    companions(&pair, &channel).await;
    followed(&mut pair, &channel).await;
    assert_eq!(pair.stop_sidecar(), Some(0), "{}", pair.log());
}

/// Samples of which every one is known.
async fn blocks(store: &mut StoreClient<Channel>) {
    let request = SeriesRequest {
        min_time: START * 1000,
        max_time: (START + BLOCKS * 7_200) * 1000,
        matchers: vec![matcher(Type::Eq, "__name__", "m"), matcher(Type::Re, "cluster", "on.")],
        response_batch_size: 64,
        ..SeriesRequest::default()
    };
    let all = series(store, request.clone()).await;
    assert!(all.is_sorted_by(|one, two| one.labels <= two.labels));
    let mut found: BTreeMap<i64, Vec<(i64, f64)>> = BTreeMap::new();
    for one in &all {
        let pod = one.labels.get(b"pod").map_or(0, |pod| text(pod).parse().expect("a number"));
        assert_eq!(one.labels.get(b"cluster"), Some(&b"one"[..]));
        assert_eq!(one.labels.get(b"replica"), Some(&b"a"[..]));
        found.entry(pod).or_default().extend(samples(one));
    }
    assert_eq!(found.len() as i64, PODS);
    let times = (START..START + BLOCKS * 7_200).step_by(STEP as usize);
    for (pod, samples) in found {
        let wanted: Vec<(i64, f64)> = times.clone().map(|time| (time * 1000, value(pod, time))).collect();
        assert_eq!(samples, wanted, "pod {pod}");
    }
    let without = vec!["replica".to_owned(), "pod".to_owned()];
    let all = series(store, SeriesRequest { without_replica_labels: without, ..request.clone() }).await;
    assert!(all.iter().all(|one| one.labels.get(b"pod").is_none() && one.labels.get(b"replica").is_none()));
    let sets: BTreeSet<_> = all.iter().map(|one| one.labels.clone()).collect();
    assert_eq!(sets.len(), 1);
    let skipped = series(store, SeriesRequest { skip_chunks: true, ..request }).await;
    assert_eq!(skipped.len() as i64, PODS);
    assert!(skipped.is_sorted_by(|one, two| one.labels < two.labels));
}

/// What Prometheus scrapes meanwhile, of itself: hundreds of series of all shapes.
async fn scraped(pair: &Pair, store: &mut StoreClient<Channel>) {
    let address = pair.prometheus_address.clone();
    pair.until("Prometheus has scraped itself", || {
        let (_, body) = get(&address, "/api/v1/query?query=count_over_time(up[1m])").unwrap_or_default();
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let count = answer["data"]["result"][0]["value"][1].as_str().unwrap_or("0").parse::<u32>();
        count.unwrap_or(0) >= 4
    });
    let (_, body) = get(&address, "/api/v1/query?query=time()").expect("an answer");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let now = answer["data"]["result"][1].as_str().expect("a time").parse::<f64>().expect("a time");
    let end = now.floor() as i64 - 1;
    let (status, body) =
        get(&address, &format!("/api/v1/query?query=%7B__name__%3D~%22.%2B%22%7D%5B60s%5D&time={end}"))
            .expect("an answer");
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let mut wanted: BTreeMap<BTreeMap<String, String>, Vec<(i64, u64)>> = BTreeMap::new();
    for one in answer["data"]["result"].as_array().expect("series") {
        let labels = one["metric"].as_object().expect("labels").iter();
        let mut labels: BTreeMap<String, String> =
            labels.map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect();
        labels.extend([("cluster", "one"), ("replica", "a")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        let values = one["values"].as_array().expect("samples").iter().map(|sample| {
            let time = (sample[0].as_f64().expect("a time") * 1000.0).round() as i64;
            let value: f64 =
                sample[1].as_str().expect("a value").replace("Inf", "inf").parse().expect("a value");
            (time, bits(value))
        });
        wanted.insert(labels, values.collect());
    }
    assert!(wanted.len() > 300, "{}", wanted.len());
    let request = SeriesRequest {
        min_time: (end - 60) * 1000,
        max_time: end * 1000,
        matchers: vec![matcher(Type::Re, "__name__", ".+")],
        response_batch_size: 64,
        ..SeriesRequest::default()
    };
    let all = series(store, request).await;
    assert!(all.is_sorted_by(|one, two| one.labels <= two.labels));
    let mut found: BTreeMap<BTreeMap<String, String>, Vec<(i64, u64)>> = BTreeMap::new();
    for one in &all {
        let labels = one.labels.iter().map(|(name, value)| (text(name), text(value))).collect();
        let range = (end - 60) * 1000..=end * 1000;
        let kept = samples(one)
            .into_iter()
            .filter(|(time, value)| range.contains(time) && !prom_model::is_stale(*value));
        found.entry(labels).or_default().extend(kept.map(|(time, value)| (time, bits(value))));
    }
    found.retain(|_, samples| !samples.is_empty());
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    assert!(found == wanted, "samples differ");
}

async fn labels(store: &mut StoreClient<Channel>) {
    let (start, end) = (START * 1000, (START + 7_200) * 1000);
    let matchers = vec![matcher(Type::Eq, "__name__", "m")];
    let request =
        LabelNamesRequest { start, end, matchers: matchers.clone(), ..LabelNamesRequest::default() };
    let names = store.label_names(request).await.expect("an answer").into_inner().names;
    assert_eq!(names, ["__name__", "app", "cluster", "pod", "replica"]);
    for (label, wanted) in [("pod", PODS as usize - 1), ("cluster", 1), ("app", 1), ("none", 0)] {
        let label = label.to_owned();
        let request = LabelValuesRequest {
            label,
            start,
            end,
            matchers: matchers.clone(),
            ..LabelValuesRequest::default()
        };
        let values = store.label_values(request).await.expect("an answer").into_inner().values;
        assert_eq!(values.len(), wanted);
        assert!(values.is_sorted());
    }
}

async fn companions(pair: &Pair, channel: &Channel) {
    let info = InfoClient::new(channel.clone()).info(InfoRequest {}).await.expect("an answer").into_inner();
    let told = info.store.expect("a store");
    assert_eq!((told.min_time, told.max_time), (START * 1000, i64::MAX));
    assert_eq!(info.label_sets[0].labels.len(), 2);

    let mut rules = RulesClient::new(channel.clone())
        .rules(RulesRequest::default())
        .await
        .expect("an answer")
        .into_inner();
    let Some(rules_response::Result::Group(group)) =
        rules.message().await.expect("a group").and_then(|next| next.result)
    else {
        panic!("no group")
    };
    assert_eq!((group.name.as_str(), group.rules.len()), ("g", 2));

    let request = TargetsRequest::default();
    let mut targets =
        TargetsClient::new(channel.clone()).targets(request).await.expect("an answer").into_inner();
    let Some(targets_response::Result::Targets(found)) =
        targets.message().await.expect("targets").and_then(|next| next.result)
    else {
        panic!("no targets")
    };
    assert_eq!(found.active_targets[0].scrape_pool, "self");

    let request = MetricMetadataRequest { limit: 3, ..MetricMetadataRequest::default() };
    let mut metadata =
        MetadataClient::new(channel.clone()).metric_metadata(request).await.expect("an answer").into_inner();
    assert!(metadata.message().await.expect("metadata").is_some());

    let request = TsdbStatisticsRequest::default();
    let mut statistics =
        StatusClient::new(channel.clone()).tsdb_statistics(request).await.expect("an answer").into_inner();
    assert!(statistics.message().await.expect("statistics").is_some());

    let request = ExemplarsRequest { query: "up{".to_owned(), ..ExemplarsRequest::default() };
    let refused =
        ExemplarsClient::new(channel.clone()).exemplars(request).await.expect_err("it does not parse");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert!(refused.message().starts_with("expected 2xx response, got 400. Body: {"), "{refused}");

    let (_, metrics) = get(&pair.http_address, "/metrics").expect("metrics");
    assert!(metrics.contains("thanos_sidecar_prometheus_up 1\n"), "{metrics}");
}

/// Readiness follows Prometheus, and external labels follow its configuration.
async fn followed(pair: &mut Pair, channel: &Channel) {
    pair.kill_prometheus();
    pair.until("it is not ready", || pair.ready() == Some(503));
    let refused = InfoClient::new(channel.clone()).info(InfoRequest {}).await.expect_err("it is not ready");
    assert_eq!(refused.message(), "Not ready");
    pair.configure("two");
    pair.start_prometheus();
    pair.until("it is ready again", || pair.ready() == Some(200));
    let info = InfoClient::new(channel.clone()).info(InfoRequest {}).await.expect("an answer").into_inner();
    assert_eq!(info.label_sets[0].labels[0].value, "two");
}
