//! `pronoiad compact` as a user calls it.

mod service;

use std::fs;

use serde_json::{Value, json};

use crate::tools::generated::{flip, write};
use crate::tools::{Bucket, Run, run};

/// Blocks of two hours, one after the other, all of one stream.
fn filled(blocks: u32) -> (Bucket, Vec<String>) {
    let bucket = Bucket::new();
    let ids = (0..blocks).map(|number| write(&bucket, number.into(), 2 * i64::from(number))).collect();
    (bucket, ids)
}

/// Gives a block to another stream.
fn relabel(bucket: &Bucket, id: &str, cluster: &str) {
    let name = format!("{id}/meta.json");
    let mut meta = bucket.json(&name);
    meta["thanos"]["labels"] = json!({ "cluster": cluster });
    bucket.write(&name, meta.to_string());
}

fn compact(bucket: &Bucket, flags: &[&str]) -> Run {
    let (config, data) = (
        format!("--objstore.config={}", bucket.config()),
        format!("--data-dir={}", bucket.beside("data").display()),
    );
    run(&[&["compact", "--http-address=127.0.0.1:0", "--consistency-delay=0s", &config, &data], flags]
        .concat())
}

/// The blocks that are there and not to be deleted: stream, hours since the start, level, samples.
fn blocks(bucket: &Bucket) -> Vec<(String, i64, i64, i64, i64)> {
    let mut found: Vec<_> = fs::read_dir(bucket.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|id| {
            bucket.has(&format!("{id}/meta.json")) && !bucket.has(&format!("{id}/deletion-mark.json"))
        })
        .map(|id| {
            let meta = bucket.json(&format!("{id}/meta.json"));
            let hours = |name: &str| (meta[name].as_i64().unwrap() - crate::tools::START) / 3_600_000;
            let cluster = meta["thanos"]["labels"]["cluster"].as_str().unwrap().to_owned();
            let number = |value: &Value| value.as_i64().unwrap();
            let (level, samples) =
                (number(&meta["compaction"]["level"]), number(&meta["stats"]["numSamples"]));
            (cluster, hours("minTime"), hours("maxTime"), level, samples)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn blocks_become_one_and_what_they_were_is_marked() {
    let (bucket, ids) = filled(5);
    let run = compact(&bucket, &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let eu = |from, to, level, samples| ("eu".to_owned(), from, to, level, samples);
    assert_eq!(blocks(&bucket), [eu(0, 8, 2, 4 * 4800), eu(8, 10, 1, 4800)], "{}", run.err);
    for id in &ids[..4] {
        let mark = bucket.json(&format!("{id}/deletion-mark.json"));
        assert_eq!(mark["details"], "source of compacted block");
    }
    // Nothing is left to be done, and nothing is left of the work.
    let again = compact(&bucket, &[]);
    assert!(again.code == Some(0) && again.err.contains("compacted=0"), "{}", again.err);
    for folder in ["compact", "downsample"] {
        assert_eq!(fs::read_dir(bucket.beside("data").join(folder)).unwrap().count(), 0, "{folder}");
    }
    let verified = bucket.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

#[test]
fn a_plan_says_what_would_be_done_and_does_nothing() {
    let (bucket, ids) = filled(5);
    let before = bucket.snapshot();
    let text = compact(&bucket, &["--plan"]);
    assert_eq!(text.code, Some(0), "{}", text.err);
    assert!(text.out.contains("4 blocks") && ids[..4].iter().all(|id| text.out.contains(id)), "{}", text.out);
    let plan: Value = serde_json::from_str(&compact(&bucket, &["--plan=json"]).out).unwrap();
    let job = &plan["compactions"][0];
    assert_eq!(job["blocks"], json!(ids[..4]));
    assert!(job["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{job}");
    assert!(job["disk_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{job}");
    let tool = bucket.run(&["plan", "--consistency-delay=0s", "-o", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&tool.out).unwrap(), plan, "{}", tool.err);
    assert_eq!(bucket.snapshot(), before);
}

#[test]
fn a_damaged_block_is_set_aside_and_all_others_are_compacted() {
    let (bucket, ids) = filled(10);
    ids[5..].iter().for_each(|id| relabel(&bucket, id, "us"));
    flip(&bucket.path().join(&ids[1]).join("chunks/000001"), 60);
    let run = compact(&bucket, &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let mark = bucket.json(&format!("{}/no-compact-mark.json", ids[1]));
    assert!(mark["details"].as_str().unwrap().contains("chunk"), "{mark}");
    assert!(run.err.contains(&ids[1]) && run.err.contains("set aside"), "{}", run.err);
    let us: Vec<_> = blocks(&bucket)
        .into_iter()
        .filter(|block| block.0 == "us")
        .map(|block| (block.1, block.2, block.3))
        .collect();
    assert_eq!(us, [(10, 16, 2), (16, 18, 1), (18, 20, 1)], "the other stream is compacted: {}", run.err);
    assert!(bucket.has(&format!("{}/meta.json", ids[1])), "it is still there");
    assert!(!bucket.has(&format!("{}/deletion-mark.json", ids[1])));
}

#[test]
fn work_that_would_take_too_much_is_not_begun_and_named() {
    let (bucket, _) = filled(5);
    let before = blocks(&bucket);
    for flag in ["--compact.memory-budget=1MB", "--compact.disk-budget=1KB"] {
        let run = compact(&bucket, &[flag]);
        assert_eq!((run.code, blocks(&bucket)), (Some(1), before.clone()), "{flag}: {}", run.err);
        let last = run.err.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: ") && last.contains("bytes"), "{flag}: {last}");
    }
    let whole = compact(&bucket, &["--compact.download-sources"]);
    assert_eq!((whole.code, blocks(&bucket).len()), (Some(0), 2), "{}", whole.err);
}

#[test]
fn settings_that_make_no_sense_are_one_line() {
    let (bucket, _) = filled(1);
    for (flags, words) in [
        (&["--deduplication.func=penalty"][..], "needs at least one replica label"),
        (&["--retention.resolution-raw=10h"], "(40 hours)"),
        (&["--retention.resolution-5m=3d"], "(10 days)"),
        (&["--debug.max-compaction-level=9"], "level is bigger"),
        (&["--compact.concurrency=0"], "--compact.concurrency=0"),
    ] {
        let run = compact(&bucket, flags);
        assert_eq!(run.code, Some(1), "{flags:?}: {}", run.err);
        let lines: Vec<&str> = run.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(lines.len() == 1 && lines[0].contains(words), "{flags:?}: {}", run.err);
    }
    let unknown = compact(&bucket, &["--compact.concurency=2"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("--compact.concurrency"), "{}", unknown.err);
}
