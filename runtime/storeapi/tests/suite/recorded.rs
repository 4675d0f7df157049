//! Recordings of real components: frames are read and written to the same bytes, series belong to the same shards.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads the recordings and says what it compared"
)]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use storeapi::thanos::ShardInfo;
use storeapi::{LabelBytes, SeriesFrame, Shard};

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("PRONOIA_SHARED").map(|shared| Path::new(&shared).join("fixtures/wire"));
    if folder.is_none() {
        eprintln!("PRONOIA_SHARED is not set: recordings of real components are not compared");
    }
    folder
}

/// The messages of a `response.pb`: each behind its length.
fn messages(mut bytes: Bytes) -> Vec<Bytes> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = prost::decode_length_delimiter(&mut bytes).expect("a length");
        found.push(bytes.split_to(length));
    }
    found
}

#[test]
fn recorded_frames_are_read_and_written_to_the_same_bytes() {
    let Some(folder) = recordings() else { return };
    let (mut frames, mut series) = (0, 0);
    for component in ["store", "store-with-limits", "sidecar", "receive", "rule", "query"] {
        let calls = fs::read_dir(folder.join("grpc").join(component).join("Series"));
        let Ok(calls) = calls else { continue };
        for call in calls {
            let path = call.expect("a call").path().join("response.pb");
            for message in messages(fs::read(&path).expect("an answer").into()) {
                let frame = SeriesFrame::decode(message.clone())
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                if let SeriesFrame::Series(_) = &frame {
                    series += 1;
                }
                assert!(frame.encode_to_vec() == message, "{}", path.display());
                frames += 1;
            }
        }
    }
    eprintln!("{frames} recorded frames are the same bytes again, {series} of them with one series");
    assert!(frames > 500, "only {frames} frames");
}

#[test]
fn series_belong_to_the_recorded_shards() {
    let Some(folder) = recordings() else { return };
    let text = fs::read(folder.join("shard/shard.json")).expect("the table");
    let table: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let sets: Vec<LabelBytes> = table["label_sets"]
        .as_array()
        .expect("label sets")
        .iter()
        .map(|set| {
            let text = |value: &serde_json::Value| value.as_str().expect("text").as_bytes().to_vec();
            let labels = set["labels"].as_array().expect("labels");
            let mut pairs: Vec<_> = labels.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
            pairs.sort_unstable();
            LabelBytes::from_pairs(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
        })
        .collect();
    let mut compared = 0;
    for case in table["cases"].as_array().expect("cases") {
        let total = case["total_shards"].as_i64().unwrap_or(0);
        let labels = case["labels"].as_array().map_or(Vec::new(), |labels| {
            labels.iter().map(|label| label.as_str().expect("text").to_owned()).collect()
        });
        let by = case["by"].as_bool().unwrap_or(false);
        for (set, wanted) in sets.iter().zip(case["shard_index"].as_array().expect("indices")) {
            let wanted = wanted.as_i64().expect("an index");
            for index in 0..total.max(1) {
                let info = ShardInfo { shard_index: index, total_shards: total, by, labels: labels.clone() };
                let has = Shard::new(Some(&info)).is_none_or(|shard| shard.has(set));
                assert_eq!(has, index == wanted || total < 1, "{case:?} {set:?} {index}");
                compared += 1;
            }
        }
    }
    eprintln!("{compared} recorded choices of shards are the same");
}
