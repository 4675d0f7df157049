//! Blocks that are written anew: `rewrite`, and `verify --repair`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Bucket, Run, config, copy, fixtures, walk};

/// A bucket with one recorded block; `None` without the recorded data.
fn one_block(case: &str) -> Option<(Bucket, String)> {
    let bucket = Bucket::new();
    copy(&fixtures()?.join("corrupt-blocks").join(case), &bucket.path());
    let id = ids(&bucket).concat();
    Some((bucket, id))
}

fn ids(bucket: &Bucket) -> Vec<String> {
    let entries =
        fs::read_dir(bucket.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut ids: Vec<String> = entries.filter(|name| name.len() == 26).collect();
    ids.sort();
    ids
}

fn stat(bucket: &Bucket, id: &str, name: &str) -> u64 {
    bucket.json(&format!("{id}/meta.json"))["stats"][name].as_u64().unwrap_or_default()
}

fn change_logs(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(folder, &mut files);
    files.retain(|path| path.ends_with("change.log"));
    files
}

fn rewrite(bucket: &Bucket, id: &str, arguments: &[&str]) -> Run {
    let (id, tmp) = (format!("--id={id}"), format!("--tmp.dir={}", bucket.beside("tmp").display()));
    bucket.run(&[&["rewrite", &id, &tmp][..], arguments].concat())
}

const WHOLE_SERIES: &str =
    "--rewrite.to-delete-config=[{matchers: '{__name__=\"zoo_gauge\", instance=~\"z1|z2\"}'}]";

#[test]
fn a_rehearsal_prints_the_changes_and_makes_none() {
    let Some((bucket, id)) = one_block("00-base") else { return };
    let before = bucket.snapshot();
    for arguments in
        [&[WHOLE_SERIES][..], &[WHOLE_SERIES, "--dry-run"], &[WHOLE_SERIES, "--no-dry-run", "--dry-run"]]
    {
        let run = rewrite(&bucket, &id, arguments);
        assert_eq!(run.code, Some(0), "{}", run.err);
        let lines: Vec<&str> = run.out.lines().collect();
        assert_eq!(lines.len(), 2, "{}", run.out);
        let deleted =
            format!("{id} Deleted {{__name__=\"zoo_gauge\", instance=\"z1\", job=\"zoo\"}} [{{17040672");
        assert!(lines[0].starts_with(&deleted), "{}", lines[0]);
        assert_eq!(bucket.snapshot(), before);
    }
    assert_eq!(change_logs(&bucket.beside("tmp")).len(), 3);
    let mut left = Vec::new();
    walk(&bucket.beside("tmp"), &mut left);
    assert_eq!(left.len(), 3, "nothing else is left on the disk: {left:?}");
    let silent = rewrite(&bucket, &id, &[WHOLE_SERIES, "--no-rewrite.add-change-log"]);
    assert_eq!((silent.code, change_logs(&bucket.beside("tmp")).len()), (Some(0), 3));
}

#[test]
fn whole_series_go_and_the_new_block_says_what_was_done() {
    let Some((bucket, id)) = one_block("00-base") else { return };
    let run = rewrite(&bucket, &id, &[WHOLE_SERIES, "--no-dry-run", "--delete-blocks", "--hash-func=SHA256"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let new = ids(&bucket).into_iter().find(|other| *other != id).unwrap();
    assert_eq!((stat(&bucket, &new, "numSeries"), stat(&bucket, &new, "numSamples")), (11, 3120 - 480));
    let meta = bucket.json(&format!("{new}/meta.json"));
    assert_eq!(meta["compaction"]["sources"], serde_json::json!([new]));
    assert_eq!(meta["thanos"]["source"], "bucket.rewrite");
    assert_eq!(meta["thanos"]["labels"]["cluster"], "zoo");
    let rewrite = &meta["thanos"]["rewrites"][0];
    assert!(rewrite["sources"].as_array().is_some_and(|sources| !sources.is_empty()));
    assert_eq!(
        rewrite["deletions_applied"][0]["matchers"][1],
        serde_json::json!({"Type": 2, "Name": "instance", "Value": "z1|z2"})
    );
    assert!(
        meta["thanos"]["files"].as_array().unwrap().iter().any(|file| file["hash"]["hashFunc"] == "SHA256"),
        "{meta}"
    );
    assert_eq!(bucket.json(&format!("{id}/deletion-mark.json"))["details"], "block rewritten");
    assert!(!bucket.has(&format!("{new}/change.log")));
    let verified = bucket.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

#[test]
fn samples_of_an_interval_go_from_floats_histograms_and_downsampled_blocks() {
    let Some(fixtures) = fixtures() else { return };
    let bucket = Bucket::new();
    // One raw block with histograms of every kind, one of each coarser resolution.
    let mut taken: BTreeMap<i64, String> = BTreeMap::new();
    let folders = |name: &str| {
        let mut folders: Vec<PathBuf> = fs::read_dir(fixtures.join(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        folders
    };
    for folder in folders("bucket-raw").into_iter().chain(folders("bucket-compacted")) {
        let meta: Value = serde_json::from_slice(&fs::read(folder.join("meta.json")).unwrap()).unwrap();
        let resolution = meta["thanos"]["downsample"]["resolution"].as_i64().unwrap();
        if taken.contains_key(&resolution) || (resolution == 0 && meta["thanos"]["labels"]["cluster"] != "eu")
        {
            continue;
        }
        let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
        copy(&folder, &bucket.path().join(&id));
        taken.insert(resolution, id);
    }
    assert_eq!(taken.len(), 3);
    for id in taken.values() {
        let meta = bucket.json(&format!("{id}/meta.json"));
        let (from, to) = (meta["minTime"].as_i64().unwrap(), meta["maxTime"].as_i64().unwrap());
        let (third, two_thirds) = (from + (to - from) / 3, from + (to - from) * 2 / 3);
        let request = format!(
            "--rewrite.to-delete-config=[{{matchers: '{{__name__=~\".+\"}}', intervals: [{{mint: {third}, maxt: {two_thirds}}}]}}]"
        );
        let run = rewrite(&bucket, id, &[&request, "--no-dry-run", "--delete-blocks"]);
        assert_eq!(run.code, Some(0), "{id}: {}", run.err);
        let uploaded = run.err.lines().find(|line| line.contains("msg=uploaded")).unwrap();
        let new = uploaded.split("new=").nth(1).unwrap().split(' ').next().unwrap();
        let (before, after) = (stat(&bucket, id, "numSamples"), stat(&bucket, new, "numSamples"));
        assert!(after > before / 3 && after < before * 8 / 10, "{id}: {after} of {before}");
    }
    let verified = bucket.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

#[test]
fn series_get_other_labels_and_those_of_one_name_become_one() {
    let Some((bucket, id)) = one_block("00-base") else { return };
    let rules = "--rewrite.to-relabel-config=[{action: replace, target_label: job, replacement: ark}, {action: drop, source_labels: [instance], regex: z1}]";
    let run = rewrite(&bucket, &id, &[rules, "--no-dry-run"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let log = fs::read_to_string(&change_logs(&bucket.beside("tmp"))[0]).unwrap();
    assert!(log.contains("Relabelled {__name__=\"zoo_gauge\", instance=\"z2\", job=\"zoo\"} {__name__=\"zoo_gauge\", instance=\"z2\", job=\"ark\"}\n"), "{log}");
    assert!(
        log.lines().any(|line| line.starts_with("Deleted {") && line.contains("instance=\"z1\"")),
        "{log}"
    );
    let new = ids(&bucket).into_iter().find(|other| *other != id).unwrap();
    let applied = &bucket.json(&format!("{new}/meta.json"))["thanos"]["rewrites"][0]["relabels_applied"];
    assert_eq!(applied[0]["target_label"], "job");
    assert_eq!((&applied[0]["separator"], &applied[0]["regex"]), (&";".into(), &"(.*)".into()));
    // Without the label that tells them apart, float series of one name are merged: the first sample of a time stays.
    let merged = rewrite(
        &bucket,
        &id,
        &[
            "--rewrite.to-relabel-config=[{action: labeldrop, regex: instance}, {action: keep, source_labels: [__name__], regex: zoo_gauge}]",
            "--no-dry-run",
        ],
    );
    assert_eq!(merged.code, Some(0), "{}", merged.err);
    let last = ids(&bucket).into_iter().find(|other| *other != id && *other != new).unwrap();
    assert_eq!((stat(&bucket, &last, "numSeries"), stat(&bucket, &last, "numSamples")), (1, 240));
    let lost =
        rewrite(&bucket, &id, &["--rewrite.to-delete-config=[{matchers: '{nosuch=\"x\"}'}]", "--no-dry-run"]);
    assert!(
        lost.code == Some(0) && lost.err.contains("stays as it is") && ids(&bucket).len() == 3,
        "{}",
        lost.err
    );
}

#[test]
fn a_rewrite_that_cannot_be_done_leaves_everything_as_it_is() {
    let Some((bucket, id)) = one_block("chunks-data-flipped") else { return };
    let before = bucket.snapshot();
    let damaged = rewrite(&bucket, &id, &[WHOLE_SERIES, "--no-dry-run", "--delete-blocks"]);
    assert_eq!(damaged.code, Some(1));
    assert!(damaged.err.contains("checksum"), "{}", damaged.err);
    for (arguments, why) in [
        (&[][..], "nothing to do"),
        (&["--rewrite.to-delete-config=[{matchers: 'sum(up)'}]"], "are no selector"),
        (&["--rewrite.to-relabel-config=[{action: nope}]"], "--rewrite.to-relabel-config"),
    ] {
        let run = rewrite(&bucket, &id, arguments);
        assert!(run.code == Some(1) && run.err.contains(why), "{arguments:?}: {}", run.err);
    }
    let missing = rewrite(&bucket, "01HK153X01000000000000000Z", &[WHOLE_SERIES]);
    assert!(missing.code == Some(1) && missing.err.contains("01HK153X01000000000000000Z"), "{}", missing.err);
    assert_eq!(bucket.snapshot(), before);
}

#[test]
fn what_can_be_repaired_without_loss_is_repaired_under_a_new_name_after_a_backup() {
    let Some(fixtures) = fixtures() else { return };
    for (case, samples) in [
        ("chunk-meta-time-mismatch", 3120),
        ("chunks-duplicated", 3120),
        ("chunks-out-of-order", 3120),
        ("index-postings-bad-ref", 3120),
        ("index-postings-flipped", 3120),
        ("index-postings-huge-count", 3120),
        ("index-postings-missing-series", 3120),
        ("index-postings-table-flipped", 3120),
        ("index-postings-table-huge-count", 3120),
        ("index-postings-unsorted", 3120),
        ("meta-files-size-mismatch", 3120),
        ("meta-mint-after-maxt", 3120),
        ("meta-negative-level", 3120),
        ("meta-wrong-stats", 3120),
        ("series-no-chunks", 2880),
        ("series-unsorted", 3120),
        ("series-unsorted-labels", 3120),
    ] {
        let bucket = Bucket::new();
        copy(&fixtures.join("corrupt-blocks").join(case), &bucket.path());
        let id = ids(&bucket).concat();
        let backup = bucket.beside("backup");
        let flag = format!("--objstore-backup.config={}", config(&backup));
        let before = bucket.snapshot();
        let dry = bucket.run(&["verify", "--repair", "--dry-run", &flag]);
        assert!(dry.err.contains("would repair") && bucket.snapshot() == before, "{case}: {}", dry.err);
        let run = bucket.run(&["verify", "--repair", "--delete-delay=48h", &flag]);
        assert_eq!(run.code, Some(0), "{case}: {}{}", run.out, run.err);
        for name in ["meta.json", "index", "chunks/000001"] {
            let (kept, original) = (backup.join(&id).join(name), bucket.path().join(&id).join(name));
            assert_eq!(fs::read(kept).unwrap(), fs::read(original).unwrap(), "{case}: {name}");
        }
        assert_eq!(bucket.json(&format!("{id}/deletion-mark.json"))["details"], "manual verify-repair");
        let new = ids(&bucket).into_iter().find(|other| *other != id).unwrap();
        let meta = bucket.json(&format!("{new}/meta.json"));
        assert_eq!(meta["stats"]["numSamples"], samples, "{case}");
        assert_eq!(
            (&meta["thanos"]["source"], &meta["compaction"]["parents"][0]["ulid"]),
            (&"bucket.repair".into(), &id.as_str().into()),
            "{case}"
        );
        assert_eq!(
            meta["compaction"]["sources"],
            bucket.json(&format!("{id}/meta.json"))["compaction"]["sources"],
            "{case}"
        );
        let verified = bucket.run(&["verify"]);
        assert_eq!(verified.code, Some(0), "{case}: {}{}", verified.out, verified.err);
    }
}

#[test]
fn what_cannot_be_repaired_stays_as_it_is() {
    let Some(fixtures) = fixtures() else { return };
    for case in [
        "chunks-overlapping",
        "series-duplicate-series",
        "chunks-data-flipped",
        "chunk-out-of-block-range",
        "index-symbols-flipped",
        "meta-garbage",
        "series-duplicate-label-name",
        "samples-out-of-order-in-chunk",
        "chunks-huge-sample-count",
    ] {
        let bucket = Bucket::new();
        copy(&fixtures.join("corrupt-blocks").join(case), &bucket.path());
        let flag = format!("--objstore-backup.config={}", config(&bucket.beside("backup")));
        let before = bucket.snapshot();
        let run = bucket.run(&["verify", "--repair", &flag]);
        assert_eq!(run.code, Some(1), "{case}: {}", run.err);
        assert!(run.err.contains("1 blocks are still bad"), "{case}: {}", run.err);
        assert_eq!(bucket.snapshot(), before, "{case}");
    }
}

#[test]
fn a_compaction_that_was_done_twice_is_kept_once() {
    let Some(fixtures) = fixtures() else { return };
    let bucket = Bucket::new();
    copy(&fixtures.join("corrupt-blocks/bucket-duplicated-compaction"), &bucket.path());
    let both = ids(&bucket);
    let backup = bucket.beside("backup");
    let run = bucket.run(&["verify", "--repair", &format!("--objstore-backup.config={}", config(&backup))]);
    assert_eq!(ids(&bucket), both[..1], "{}", run.err);
    assert!(backup.join(&both[1]).join("meta.json").exists(), "{}", run.err);
    assert_eq!(bucket.run(&["verify"]).code, Some(0));
}
