//! Blocks of our own writer: the tools on data that every clone of this repository can make.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

use super::{Bucket, START};

const SERIES: u32 = 20;
const SAMPLES: i64 = 240;

/// Two hours of twenty series, a sample every thirty seconds, two chunks each.
pub(crate) fn write(bucket: &Bucket, number: u128, shift_hours: i64) -> String {
    let id = BlockId::new(1_704_067_200_000, number);
    let mut builder = SymbolTableBuilder::default();
    let names: Vec<[u32; 4]> = (0..SERIES)
        .map(|at| {
            ["__name__", "requests_total", "instance", &format!("i{at:02}")].map(|text| builder.add(text))
        })
        .collect();
    let (table, symbols) = builder.build();
    let mut writer = BlockWriter::create(Arc::new(RealFs), &bucket.path(), id, Arc::new(table)).unwrap();
    let from = START + shift_hours * 3_600_000;
    for (at, names) in names.iter().enumerate() {
        let [name, metric, label, value] = names.map(|number| symbols[number as usize]);
        let chunks: Vec<(i64, i64, Vec<u8>)> = [0, SAMPLES / 2]
            .map(|first| {
                let mut appender = XorAppender::new();
                let times: Vec<i64> =
                    (first..first + SAMPLES / 2).map(|sample| from + sample * 30_000).collect();
                times.iter().for_each(|time| {
                    assert!(appender.append(*time, at as f64 + (*time - from) as f64 / 1000.0))
                });
                (times[0], *times.last().unwrap(), appender.into_bytes())
            })
            .into();
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|(min_time, max_time, data)| ChunkData {
                min_time: *min_time,
                max_time: *max_time,
                encoding: Encoding::Xor,
                data,
            })
            .collect();
        writer.add_series(&[(name, metric), (label, value)], &chunks).unwrap();
    }
    let meta = BlockMeta::new(id, from, from + 2 * 3_600_000);
    writer.finish(meta, &Tombstones::default()).unwrap().unwrap();
    let path = bucket.path().join(id.to_string()).join("meta.json");
    let mut meta: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    meta["thanos"] =
        json!({"labels": {"cluster": "eu"}, "downsample": {"resolution": 0}, "source": "sidecar"});
    fs::write(path, meta.to_string()).unwrap();
    id.to_string()
}

pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

#[test]
fn good_blocks_are_good_and_one_flipped_byte_is_found_in_its_block_alone() {
    let bucket = Bucket::new();
    let ids: Vec<String> = (0..5).map(|number| write(&bucket, number, 2 * number as i64)).collect();
    let good = bucket.run(&["verify"]);
    assert_eq!((good.code, good.out.as_str()), (Some(0), "5 blocks, nothing found\n"), "{}", good.err);
    for (file, at, code) in [
        ("chunks/000001", 60, "chunk-checksum"),
        ("index", 30, "index-symbols"),
        ("chunks/000001", 2, "segment-header"),
    ] {
        let path = bucket.path().join(&ids[2]).join(file);
        flip(&path, at);
        let bad = bucket.run(&["verify", "--output=json"]);
        let report: Value = serde_json::from_str(&bad.out).unwrap();
        assert_eq!((bad.code, &report["badBlocks"]), (Some(1), &json!(1)), "{}", bad.out);
        assert_eq!(report["codes"][code], 1, "{}", bad.out);
        assert_eq!(report["findings"][0]["block"], ids[2].as_str());
        flip(&path, at);
    }
    // Every other tool shows the good ones whatever is wrong with one.
    fs::write(bucket.path().join(&ids[0]).join("meta.json"), "{").unwrap();
    for command in ["ls", "inspect"] {
        let run = bucket.run(&[command]);
        assert_eq!(
            (run.code, run.out.matches("01HK153X0").count()),
            (Some(1), 4),
            "{command}: {}{}",
            run.out,
            run.err
        );
    }
}

#[test]
fn a_rewrite_removes_an_interval_and_leaves_the_rest_bit_for_bit() {
    let bucket = Bucket::new();
    let id = write(&bucket, 1, 0);
    let (from, to) = (START + 1_800_000, START + 3_600_000 - 1);
    let request = format!(
        "--rewrite.to-delete-config=[{{matchers: '{{instance=\"i07\"}}', intervals: [{{mint: {from}, maxt: {to}}}]}}]"
    );
    let (flag, tmp) = (format!("--id={id}"), format!("--tmp.dir={}", bucket.beside("tmp").display()));
    let run = bucket.run(&["rewrite", &flag, &tmp, &request, "--no-dry-run", "--delete-blocks"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let listed =
        bucket.run(&["ls", "--exclude-delete", "-o", "{{.ULID}} {{.Stats.NumSamples}} {{.Stats.NumSeries}}"]);
    // The mark is not older than this second, so that both may be listed.
    let samples = i64::from(SERIES) * SAMPLES - 60;
    assert!(listed.out.contains(&format!(" {samples} {SERIES}\n")), "{}{}", listed.out, listed.err);
    assert_eq!(bucket.run(&["verify"]).code, Some(0));
    let new = listed.out.lines().find(|line| !line.starts_with(&id)).unwrap().split(' ').next().unwrap();
    let (Some(before), Some(after)) = (dump(&bucket, &id), dump(&bucket, new)) else { return };
    let in_range = |line: &&String| {
        let time: i64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        line.contains("instance=\"i07\"") && (from..=to).contains(&time)
    };
    let (gone, kept): (Vec<&String>, Vec<&String>) = before.iter().partition(in_range);
    assert_eq!((gone.len(), kept), (60, after.iter().collect()));
}

/// What promtool reads in a block, where it is installed.
#[expect(clippy::print_stderr, reason = "what is left out must be said")]
fn dump(bucket: &Bucket, id: &str) -> Option<Vec<String>> {
    let alone = bucket.beside(&format!("dump-{id}"));
    super::copy(&bucket.path().join(id), &alone.join(id));
    fs::create_dir_all(alone.join("wal")).unwrap();
    let Ok(output) = std::process::Command::new("promtool").args(["tsdb", "dump"]).arg(&alone).output()
    else {
        eprintln!("LEFT OUT: promtool is not installed, so what it reads was not compared");
        return None;
    };
    let mut lines: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    Some(lines)
}

#[test]
fn a_folder_of_prometheus_blocks_becomes_a_bucket() {
    let source = Bucket::new();
    let id = write(&source, 3, 0);
    let meta = source.path().join(&id).join("meta.json");
    let mut plain: Value = serde_json::from_slice(&fs::read(&meta).unwrap()).unwrap();
    plain.as_object_mut().unwrap().remove("thanos");
    fs::write(&meta, plain.to_string()).unwrap();
    let bucket = Bucket::new();
    let path = format!("--path={}", source.path().display());
    let run = bucket.run(&["upload-blocks", &path, "--label=cluster=\"eu\"", "--label=replica=`b`"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(
        bucket.json(&format!("{id}/meta.json"))["thanos"]["labels"],
        json!({"cluster": "eu", "replica": "b"})
    );
    assert_eq!(bucket.run(&["verify"]).code, Some(0));
    let target = bucket.beside("target");
    let copied = bucket.run(&[
        "replicate",
        &format!("--objstore-to.config={}", super::config(&target)),
        "--single-run",
    ]);
    assert_eq!(copied.code, Some(0), "{}", copied.err);
    assert_eq!(
        fs::read(target.join(&id).join("index")).unwrap(),
        fs::read(source.path().join(&id).join("index")).unwrap()
    );
}
