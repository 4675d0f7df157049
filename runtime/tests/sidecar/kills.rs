//! Blocks arrive whole, whenever the shipper is killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::pair::{BLOCKS, Pair};

type Files = BTreeMap<PathBuf, u64>;

/// The blocks whose meta.json is in the bucket; each must be whole.
fn visible(pair: &Pair, local: &Files) -> Vec<String> {
    let there = pair.files("bucket");
    let mut blocks = Vec::new();
    for meta in there.keys().filter(|path| path.ends_with("meta.json")) {
        let block = meta.parent().expect("a block").to_path_buf();
        let text = fs::read_to_string(pair.path("bucket").join(meta)).expect("it can be read");
        let parsed: Value = serde_json::from_str(&text).expect("it is whole");
        assert_eq!(parsed["thanos"]["labels"]["cluster"], "one");
        assert_eq!(parsed["thanos"]["source"], "sidecar");
        let listed = parsed["thanos"]["files"].as_array().expect("files");
        assert!(listed.len() >= 3, "chunks, index, meta.json: {listed:?}");
        for file in listed {
            let path = block.join(file["rel_path"].as_str().expect("a path"));
            if path.ends_with("meta.json") {
                continue;
            }
            assert_eq!(there.get(&path), local.get(&path), "{}", path.display());
            assert_eq!(there.get(&path).copied(), file["size_bytes"].as_u64());
        }
        blocks.push(block.display().to_string());
    }
    blocks
}

fn uploaded(pair: &Pair) -> Vec<String> {
    let state = fs::read_to_string(pair.path("data/thanos.shipper.json")).unwrap_or_default();
    let state: Value = serde_json::from_str(&state).unwrap_or_default();
    let list = state["uploaded"].as_array().cloned().unwrap_or_default();
    list.iter().map(|block| block.as_str().expect("an ID").to_owned()).collect()
}

#[test]
fn every_block_arrives_whole_though_the_sidecar_is_killed_again_and_again() {
    let mut pair = Pair::new();
    pair.start_prometheus();
    let local: Files = pair.files("data");
    let mut blocks: Vec<String> = local
        .keys()
        .filter(|path| path.ends_with("index"))
        .map(|path| path.parent().expect("a block").display().to_string())
        .collect();
    blocks.sort();
    assert_eq!(blocks.len() as i64, BLOCKS);
    // Each time it may bring a few more objects into the bucket before it dies.
    let mut seen = 0;
    for more in 1.. {
        pair.start_sidecar(true);
        pair.until("objects arrive", || {
            pair.files("bucket").len() >= seen + more % 4 || uploaded(&pair).len() == blocks.len()
        });
        pair.kill_sidecar();
        seen = pair.files("bucket").len();
        let visible = visible(&pair, &local);
        for block in uploaded(&pair) {
            assert!(visible.contains(&block), "{block} is said to be in the bucket");
        }
        if visible.len() == blocks.len() {
            break;
        }
    }
    fs::remove_file(pair.path("data/thanos.shipper.json")).unwrap_or_default();
    pair.start_sidecar(true);
    pair.until("the state is written", || uploaded(&pair).len() == blocks.len());
    pair.until("links are gone", || pair.files("data/thanos").is_empty());
    assert_eq!(pair.stop_sidecar(), Some(0));
    let mut found = visible(&pair, &local);
    found.sort();
    assert_eq!(found, blocks);
    let mut state = uploaded(&pair);
    state.sort();
    assert_eq!(state, blocks);
    for block in &blocks {
        for part in ["index", "chunks/000001"] {
            let name = Path::new(block).join(part);
            let read = |folder: &str| fs::read(pair.path(folder).join(&name)).expect("it can be read");
            assert!(read("data") == read("bucket"), "{}", name.display());
        }
    }
    let listed = Command::new("promtool").args(["tsdb", "list"]).arg(pair.path("bucket")).output();
    let listed = String::from_utf8(listed.expect("promtool starts").stdout).expect("text");
    assert!(blocks.iter().all(|block| listed.contains(block)), "{listed}");
}
