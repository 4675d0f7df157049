//! `tools bucket mark`: marks are written once, removed, and never left beside a block that is not there.

use super::{METAS, three_blocks};

#[test]
fn marks_are_those_of_the_original() {
    let bucket = three_blocks();
    let [first, second, _] = METAS.map(|meta| meta.id);
    let (one, two) = (format!("--id={first}"), format!("--id={second}"));
    for (marker, time) in [
        ("deletion-mark.json", "deletion_time"),
        ("no-compact-mark.json", "no_compact_time"),
        ("no-downsample-mark.json", "no_downsample_time"),
    ] {
        let flag = format!("--marker={marker}");
        let run = bucket.run(&["mark", &one, &two, &flag, "--details=because \"so\""]);
        assert_eq!(run.code, Some(0), "{}", run.err);
        for id in [first, second] {
            let mark = bucket.json(&format!("{id}/{marker}"));
            assert_eq!(
                (&mark["id"], &mark["version"], &mark["details"]),
                (&id.into(), &1.into(), &"because \"so\"".into())
            );
            assert!(mark[time].as_i64().unwrap() > 1_700_000_000);
            assert_eq!(mark.get("reason").is_some(), marker != "deletion-mark.json");
        }
        let before = bucket.snapshot();
        let again = bucket.run(&["mark", &one, &flag, "--details=another reason"]);
        assert_eq!(again.code, Some(0));
        assert!(again.err.contains("marked already"), "{}", again.err);
        assert_eq!(bucket.snapshot(), before, "a mark is final");
        let removed = bucket.run(&["mark", &one, &two, &flag, "--remove"]);
        assert_eq!(removed.code, Some(0), "{}", removed.err);
        assert!(!bucket.has(&format!("{first}/{marker}")) && !bucket.has(&format!("{second}/{marker}")));
        assert_eq!(bucket.run(&["mark", &one, &flag, "--remove"]).code, Some(0));
    }
}

#[test]
fn what_cannot_be_marked_is_said_and_the_rest_is_done() {
    let bucket = three_blocks();
    let first = format!("--id={}", METAS[0].id);
    let before = bucket.snapshot();
    let silent = bucket.run(&["mark", &first, "--marker=deletion-mark.json"]);
    assert!(silent.code == Some(1) && silent.err.contains("--details is missing"), "{}", silent.err);
    for wrong in [
        &["mark", &first, "--marker=delete", "--details=x"][..],
        &["mark", "--id=not-a-ulid", "--marker=deletion-mark.json", "--details=x"],
        &["mark", "--marker=deletion-mark.json", "--details=x"],
    ] {
        assert_eq!(bucket.run(wrong).code, Some(2), "{wrong:?}");
    }
    let dry = bucket.run(&["mark", &first, "--marker=deletion-mark.json", "--details=x", "--dry-run"]);
    assert!(dry.code == Some(0) && dry.err.contains("would write"), "{}", dry.err);
    assert_eq!(bucket.snapshot(), before);
    let absent = "--id=01HK153X01000000000000000Z";
    let part = bucket.run(&["mark", absent, &first, "--marker=deletion-mark.json", "--details=x"]);
    assert_eq!(part.code, Some(1));
    assert!(
        part.err.contains("there is no block 01HK153X01000000000000000Z")
            && part.err.contains("1 of 2 blocks"),
        "{}",
        part.err
    );
    assert!(bucket.has(&format!("{}/deletion-mark.json", METAS[0].id)));
    assert!(!bucket.has("01HK153X01000000000000000Z/deletion-mark.json"), "no mark without a block");
}
