//! `tools bucket ls`: the forms of the list, and what is on it.

use super::{Bucket, METAS, Run, three_blocks};

fn ids(run: &Run) -> Vec<&str> {
    run.out.lines().collect()
}

#[test]
fn one_line_for_each_block_in_the_forms_that_scripts_read() {
    let bucket = three_blocks();
    let plain = bucket.run(&["ls"]);
    assert_eq!(ids(&plain), METAS.map(|meta| meta.id));
    assert!(plain.err.contains("msg=\"ls done\"") && plain.err.contains("objects=3"), "{}", plain.err);
    let wide = bucket.run(&["ls", "-o", "wide"]);
    assert_eq!(
        wide.out,
        "01HK153X010000000000000001 -- 2024-01-01T00:00:00Z - 2024-01-01T02:00:00Z Diff: 2h0m0s, Compaction: 1, Downsample: 0, Source: sidecar\n\
         01HK153X010000000000000002 -- 2024-01-01T02:00:00Z - 2024-01-03T02:00:00Z Diff: 48h0m0s, Compaction: 3, Downsample: 0, Source: sidecar\n\
         01HK153X010000000000000003 -- 2024-01-01T00:00:00Z - 2024-01-15T00:00:00Z Diff: 336h0m0s, Compaction: 4, Downsample: 300000, Source: sidecar\n"
    );
    let template = bucket.run(&["ls", "--output={{.ULID}} {{.Thanos.Labels.cluster}} {{.Stats.NumSamples}}"]);
    assert_eq!(ids(&template)[1], "01HK153X010000000000000002 us 1234567");
    let json = bucket.run(&["ls", "--output=json"]);
    let documents = serde_json::Deserializer::from_str(&json.out).into_iter::<serde_json::Value>();
    let documents: Vec<_> = documents.map(Result::unwrap).collect();
    assert_eq!(documents.len(), 3);
    assert_eq!(documents[2]["thanos"]["downsample"]["resolution"], 300_000);
    assert_eq!(documents[0]["thanos"]["a_field_of_the_future"][1], 2, "what is not known is shown too");
    assert!(json.out.starts_with("{\n\t\"ulid\": \"01HK153X010000000000000001\","), "{}", json.out);
}

#[test]
fn a_template_that_is_not_understood_is_refused_before_the_bucket_is_asked() {
    let bucket = Bucket::new();
    for (template, why) in
        [("widee", None), ("{{.Ulid}}", Some("no field `Ulid`")), ("{{.ULID | js}}", Some("`js`"))]
    {
        let run = bucket.run(&["ls", "-o", template]);
        match why {
            // Text without an action is a template too, as in Go.
            None => assert_eq!(run.code, Some(0), "{}", run.err),
            Some(why) => assert!(run.code == Some(1) && run.err.contains(why), "{template}: {}", run.err),
        }
    }
}

#[test]
fn selected_by_time_labels_and_marks() {
    let bucket = three_blocks();
    let [first, second, third] = METAS.map(|meta| meta.id);
    let keep = |regex: &str| {
        format!("--selector.relabel-config=[{{action: keep, source_labels: [cluster], regex: '{regex}'}}]")
    };
    for (arguments, want) in [
        (vec!["--max-time=2024-01-01T01:00:00Z".to_owned()], vec![first, third]),
        (vec!["--min-time=2024-01-02T00:00:00Z".to_owned()], vec![second, third]),
        (
            vec!["--min-time=2024-01-02T00:00:00Z".to_owned(), "--max-time=-1h".to_owned(), keep("us")],
            vec![second],
        ),
        (vec!["--min-time=-1h".to_owned()], vec![]),
        (vec![keep("eu")], vec![first, third]),
        (vec![keep("nowhere")], vec![]),
    ] {
        let arguments: Vec<&str> = ["ls"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let run = bucket.run(&arguments);
        assert_eq!((run.code, ids(&run)), (Some(0), want), "{arguments:?}: {}", run.err);
    }
    bucket.write(
        &format!("{first}/deletion-mark.json"),
        format!(r#"{{"id":"{first}","version":1,"deletion_time":1704067200}}"#),
    );
    assert_eq!(ids(&bucket.run(&["ls"])).len(), 3);
    assert_eq!(ids(&bucket.run(&["ls", "--exclude-delete"])), [second, third]);
    assert_eq!(ids(&bucket.run(&["ls", "--exclude-delete", "--no-exclude-delete"])).len(), 3);
    let refused = bucket.run(&["ls", "--selector.relabel-config=[{action: labeldrop, regex: x}]"]);
    assert!(refused.code == Some(1) && refused.err.contains("use keep, drop or hashmod"), "{}", refused.err);
}

#[test]
fn one_bad_block_does_not_stop_the_list_and_is_named() {
    let bucket = three_blocks();
    bucket.write("01HK153X010000000000000004/meta.json", "{\"ulid\":");
    bucket.write(
        "01HK153X010000000000000005/meta.json",
        METAS[0].json().to_string().replace("\"version\":1", "\"version\":2"),
    );
    // An upload that is under way is nobody's fault.
    bucket.write("01HK153X010000000000000006/index", "not yet whole");
    bucket.write("not-a-block/file", "");
    let run = bucket.run(&["ls"]);
    assert_eq!(ids(&run), METAS.map(|meta| meta.id));
    assert_eq!(run.code, Some(1));
    let last = run.err.lines().last().unwrap();
    assert!(
        last.contains("2 blocks") && last.contains("01HK153X010000000000000004, 01HK153X010000000000000005"),
        "{last}"
    );
    assert!(!last.contains("01HK153X010000000000000006"), "{last}");
}
