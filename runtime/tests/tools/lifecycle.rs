//! Blocks that come and go: `upload-blocks`, `replicate`, `retention`, `cleanup`, each rehearsed and done.

use std::fs::{self, FileTimes};
use std::time::{Duration, SystemTime};

use super::{Bucket, METAS, config, copy, fixtures, three_blocks};

/// Makes an object as old as if it had been written so many hours ago.
fn age(bucket: &Bucket, name: &str, hours: u64) {
    let file = fs::File::options().write(true).open(bucket.path().join(name)).unwrap();
    let then = SystemTime::now() - Duration::from_secs(hours * 3600);
    file.set_times(FileTimes::new().set_modified(then).set_accessed(then)).unwrap();
}

fn mark(bucket: &Bucket, id: &str, hours_ago: u64) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let name = format!("{id}/deletion-mark.json");
    bucket.write(&name, format!(r#"{{"id":"{id}","version":1,"deletion_time":{}}}"#, now - hours_ago * 3600));
    age(bucket, &name, hours_ago);
}

#[test]
fn cleanup_deletes_what_was_marked_long_ago_and_what_nobody_goes_on_with() {
    let bucket = three_blocks();
    let [first, second, third] = METAS.map(|meta| meta.id);
    mark(&bucket, first, 49);
    mark(&bucket, second, 47);
    let (old, young, foreign) =
        ("01HK153X010000000000000004", "01HK153X010000000000000005", "01HK153X010000000000000006");
    for (id, hours) in [(old, 49), (young, 1)] {
        bucket.write(&format!("{id}/chunks/000001"), "half");
        age(&bucket, &format!("{id}/chunks/000001"), hours);
    }
    // A mark of another block deletes nothing, whatever its age.
    bucket.write(&format!("{foreign}/index"), "x");
    bucket.write(
        &format!("{foreign}/deletion-mark.json"),
        format!(r#"{{"id":"{third}","version":1,"deletion_time":1}}"#),
    );
    age(&bucket, &format!("{foreign}/index"), 1);
    let before = bucket.snapshot();
    let dry = bucket.run(&["cleanup", "--dry-run"]);
    assert_eq!(bucket.snapshot(), before, "a rehearsal changes nothing");
    for name in
        [format!("{first}/meta.json"), format!("{first}/deletion-mark.json"), format!("{old}/chunks/000001")]
    {
        assert!(dry.err.contains(&format!("object={name}")), "{name}: {}", dry.err);
    }
    assert!(!dry.err.contains(&format!("would delete\" block={second}")), "{}", dry.err);
    let run = bucket.run(&["cleanup"]);
    assert!(!bucket.path().join(first).exists() && !bucket.path().join(old).exists(), "{}", run.err);
    for left in [
        format!("{second}/meta.json"),
        format!("{third}/meta.json"),
        format!("{young}/chunks/000001"),
        format!("{foreign}/index"),
    ] {
        assert!(bucket.has(&left), "{left}: {}", run.err);
    }
    // The mark that cannot be used is told, and concerns its block alone.
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains(foreign), "{}", run.err);
    fs::remove_file(bucket.path().join(foreign).join("deletion-mark.json")).unwrap();
    let shorter = bucket.run(&["cleanup", "--delete-delay=1h"]);
    assert_eq!(shorter.code, Some(0), "{}", shorter.err);
    assert!(!bucket.path().join(second).exists());
}

#[test]
fn retention_marks_and_guards_the_last_samples_of_a_range() {
    let bucket = three_blocks();
    let [first, second, third] = METAS.map(|meta| meta.id);
    let marks =
        |bucket: &Bucket| [first, second, third].map(|id| bucket.has(&format!("{id}/deletion-mark.json")));
    assert_eq!(bucket.run(&["retention"]).code, Some(0));
    assert_eq!(marks(&bucket), [false; 3], "0d is for ever");
    let dry = bucket.run(&["retention", "--retention.resolution-raw=30d", "--dry-run"]);
    assert!(dry.err.contains("would mark") && marks(&bucket) == [false; 3], "{}", dry.err);
    // `second` is of a cluster where nothing is downsampled; the 5m block of the first cluster has the samples of `first`.
    let run = bucket.run(&["retention", "--retention.resolution-raw=30d"]);
    assert_eq!((run.code, marks(&bucket)), (Some(0), [true, true, false]), "{}", run.err);
    assert_eq!(
        bucket.json(&format!("{first}/deletion-mark.json"))["details"],
        "block exceeding retention of 720h0m0s"
    );
    let after = bucket.snapshot();
    bucket.run(&["retention", "--retention.resolution-raw=30d"]);
    assert_eq!(bucket.snapshot(), after, "marked once");
    // A raw block behind the end of all downsampled ones is the last copy of its samples.
    let late = super::Meta { id: "01HK153X010000000000000004", hours: (400, 402), ..METAS[0] };
    bucket.add_meta(&late);
    let guarded = bucket.run(&["retention", "--retention.resolution-raw=30d"]);
    assert!(
        guarded.err.contains("kept: no coarser block") && guarded.err.contains(late.id),
        "{}",
        guarded.err
    );
    assert!(!bucket.has(&format!("{}/deletion-mark.json", late.id)));
    bucket.run(&["retention", "--retention.resolution-raw=30d", "--ignore-lineage"]);
    assert!(bucket.has(&format!("{}/deletion-mark.json", late.id)));
    bucket.run(&[
        "retention",
        "--retention.resolution-5m=30d",
        "--selector.relabel-config=[{action: drop, source_labels: [cluster], regex: eu}]",
    ]);
    assert_eq!(marks(&bucket), [true, true, false], "not selected");
}

#[test]
fn replication_copies_whole_blocks_once() {
    let bucket = three_blocks();
    let [first, second, third] = METAS.map(|meta| meta.id);
    for id in [first, second, third] {
        bucket.write(&format!("{id}/index"), format!("index of {id}"));
        bucket.write(&format!("{id}/chunks/000001"), "chunks");
        bucket.write(&format!("{id}/no-compact-mark.json"), "{}");
    }
    let target = bucket.beside("target");
    let to = format!("--objstore-to.config={}", config(&target));
    let there = |id: &str| target.join(id).join("meta.json").exists();
    let dry = bucket.run(&["replicate", &to, "--dry-run"]);
    assert_eq!((dry.code, there(first)), (Some(0), false), "{}", dry.err);
    let run = bucket.run(&["replicate", &to, "--single-run", "--matcher=cluster=\"eu\"", "--resolution=0s"]);
    assert_eq!(
        (run.code, there(first), there(second), there(third)),
        (Some(0), true, false, false),
        "{}",
        run.err
    );
    for name in ["meta.json", "index", "chunks/000001"] {
        let name = format!("{first}/{name}");
        assert_eq!(fs::read(target.join(&name)).unwrap(), fs::read(bucket.path().join(&name)).unwrap());
    }
    assert!(!target.join(first).join("no-compact-mark.json").exists(), "marks are the source's own");
    assert_eq!(bucket.run(&["replicate", &to, "--single-run", "--compaction=3"]).code, Some(0));
    assert_eq!((there(second), there(third)), (true, false));
    let named = bucket.run(&["replicate", &to, &format!("--id={third}"), "--compaction-max=1"]);
    assert_eq!((named.code, there(third)), (Some(0), true), "{}", named.err);
    let again = bucket.run(&["replicate", &to, "--single-run", "--log.level=debug"]);
    assert_eq!(again.err.matches("already replicated").count(), 3, "{}", again.err);
    // A block whose files are not all there would look whole in the target.
    let bad = super::Meta { id: "01HK153X010000000000000004", ..METAS[0] };
    bucket.add_meta(&bad);
    let incomplete = bucket.run(&["replicate", &to, "--single-run"]);
    assert_eq!((incomplete.code, there(bad.id)), (Some(1), false), "{}", incomplete.err);
    assert!(
        incomplete.err.contains("index is in its meta.json, but not in the bucket"),
        "{}",
        incomplete.err
    );
    let missing = bucket.run(&["replicate", &to, "--id=01HK153X01000000000000000Z"]);
    assert_eq!(missing.code, Some(1));
    let wrong = bucket.run(&["replicate", &to, "--compaction-min=3", "--compaction-max=2"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("--compaction-min must be less"), "{}", wrong.err);
    assert!(bucket.run(&["replicate"]).err.contains("--objstore-to.config-file"));
}

#[test]
fn blocks_of_a_folder_are_uploaded_with_their_labels() {
    let Some(fixtures) = fixtures() else { return };
    let source = fixtures.join("corrupt-blocks/00-base");
    let bucket = Bucket::new();
    let data = bucket.beside("data");
    copy(&source, &data);
    let id = fs::read_dir(&source).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let path = format!("--path={}", data.display());
    let unlabelled = bucket.run(&["upload-blocks", &path]);
    assert!(
        unlabelled.code == Some(1) && unlabelled.err.contains("--label='cluster=\"eu\"'"),
        "{}",
        unlabelled.err
    );
    let labels = ["--label=cluster=\"eu\"", "--label=replica=\"a\""];
    let dry = bucket.run(&[&["upload-blocks", &path, "--dry-run"][..], &labels].concat());
    assert!(dry.code == Some(0) && dry.err.contains(&id) && bucket.snapshot().is_empty(), "{}", dry.err);
    let run = bucket.run(&[&["upload-blocks", &path][..], &labels].concat());
    assert!(run.code == Some(0) && run.err.contains("uploaded=1"), "{}", run.err);
    let meta = bucket.json(&format!("{id}/meta.json"));
    assert_eq!(
        meta["thanos"]["labels"],
        serde_json::json!({"cluster": "eu", "prometheus_replica": "a", "replica": "a"})
    );
    assert_eq!(meta["thanos"]["source"], "bucket.upload");
    assert_eq!(bucket.run(&["verify"]).code, Some(0));
    let again = bucket.run(&[&["upload-blocks", &path][..], &labels].concat());
    assert!(again.err.contains("uploaded=0"), "{}", again.err);
    assert!(bucket.run(&["upload-blocks", "--path=/no/such", labels[0]]).err.contains("--path=/no/such"));
}

/// A small generator, so that every run sees the same layouts.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn a_rehearsed_cleanup_names_exactly_what_the_real_one_deletes() {
    let mut seed = 7;
    for layout in 0..40 {
        let bucket = Bucket::new();
        for number in 0..6 {
            let id = format!("01HK153X0100000000000{layout:02}{number:03}");
            for file in ["meta.json", "index", "chunks/000001", "chunks/000002"] {
                if next(&mut seed).is_multiple_of(4) {
                    continue;
                }
                let text = match file {
                    "meta.json" => METAS[0].json().to_string().replace(METAS[0].id, &id),
                    _ => file.to_owned(),
                };
                let name = format!("{id}/{file}");
                bucket.write(&name, text);
                age(&bucket, &name, if next(&mut seed).is_multiple_of(3) { 1 } else { 60 });
            }
            match next(&mut seed) % 4 {
                0 => mark(&bucket, &id, 60),
                1 => mark(&bucket, &id, 3),
                2 => bucket.write(&format!("{id}/deletion-mark.json"), "{"),
                _ => {}
            }
        }
        let before: Vec<_> = bucket.snapshot().into_iter().map(|(path, _)| path).collect();
        let dry = bucket.run(&["cleanup", "--dry-run"]);
        let mut named: Vec<_> = dry
            .err
            .lines()
            .filter(|line| line.contains("dry run: would delete"))
            .map(|line| bucket.path().join(line.split("object=").nth(1).unwrap().split(' ').next().unwrap()))
            .filter(|path| before.contains(path))
            .collect();
        named.sort();
        let real = bucket.run(&["cleanup"]);
        assert_eq!(dry.code, real.code, "{}{}", dry.err, real.err);
        let after: Vec<_> = bucket.snapshot().into_iter().map(|(path, _)| path).collect();
        let deleted: Vec<_> = before.into_iter().filter(|path| !after.contains(path)).collect();
        assert_eq!(named, deleted, "layout {layout}: {}", dry.err);
    }
}
