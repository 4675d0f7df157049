//! Every format against its exact text.
#![expect(clippy::disallowed_methods, reason = "one test bounds the time of a report")]

use super::*;

fn sample() -> (Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let text =
        "prometheus replicas=2 {\n    identity cluster=prod\n}\nbucket b {\n    s3 password=\"hunter2\"\n}\n";
    let main = sources.add("top ology.kdl", text.into());
    let at = |word: &str| {
        let start = text.find(word).expect("in the text");
        Span::new(main, start, start + word.len())
    };
    let other = sources.add("lib/edge.kdl", "identity cluster=prod\n".into());
    let diagnostics = vec![
        Diagnostic::warning("STO009", at("s3 password"), "100% of <b> | it, or: \"all\"").help("write `x`"),
        Diagnostic::error("IDN002", at("cluster=prod"), "two clusters are called `prod`")
            .label("first")
            .related(Span::new(other, 9, 21), "second")
            .object("StatefulSet/prometheus", "spec.replicas")
            .help("give one of them another name"),
        Diagnostic::info("VER007", None, "no digest"),
    ];
    (diagnostics, sources)
}

fn text(format: Format) -> String {
    let (diagnostics, sources) = sample();
    render(format, &Options::default(), &diagnostics, &sources)
}

#[test]
fn human() {
    assert_eq!(text(Format::Human), include_str!("snapshots/human.txt"));
}

#[test]
fn human_covers_literal_secrets_and_control_characters() {
    let mut sources = Sources::default();
    let file = sources
        .add("t.kdl", "a password=\"hunter2\" \u{1b}[31m\u{9b}\nb password=\"secret:ns/key\"\n".into());
    let findings = [
        Diagnostic::error("SEC001", Span::new(file, 2, 20), "x \u{1b}[0m"),
        Diagnostic::error("SEC001", Span::new(file, 37, 42), "y"),
    ];
    let text = render(Format::Human, &Options::default(), &findings, &sources);
    assert!(!text.contains("hunter2") && !text.contains(['\u{1b}', '\u{9b}']), "{text}");
    assert!(text.contains("password=\"*******\"") && text.contains("secret:ns/key"), "{text}");
}

#[test]
fn human_survives_spans_outside_of_the_text() {
    let mut sources = Sources::default();
    let file = sources.add("t.kdl", "ü".into());
    let empty = sources.add("e.kdl", String::new());
    for span in [Span::new(file, 1, 1), Span::new(file, 9, 12), Span::new(empty, 0, 0), Span::new(77, 0, 1)] {
        let text = render(
            Format::Human,
            &Options::default(),
            &[Diagnostic::error("LEX001", span, "odd").related(span, "again")],
            &sources,
        );
        assert!(text.contains("odd") && !text.contains("Failed to read"), "{text}");
    }
}

#[test]
fn colour_only_on_request() {
    let (diagnostics, sources) = sample();
    let options = Options { color: true, ..Options::default() };
    assert!(render(Format::Human, &options, &diagnostics, &sources).contains("\u{1b}["));
    assert!(!text(Format::Human).contains('\u{1b}'));
}

#[test]
fn short() {
    assert_eq!(
        text(Format::Short),
        "info[VER007]: no digest\n\
         top ology.kdl:2:14: error[IDN002]: two clusters are called `prod`\n\
         top ology.kdl:5:5: warning[STO009]: 100% of <b> | it, or: \"all\"\n"
    );
}

#[test]
fn json() {
    let lines: Vec<serde_json::Value> =
        text(Format::Json).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        lines[1],
        serde_json::json!({
            "code": "IDN002", "severity": "error", "message": "two clusters are called `prod`",
            "file": "top ology.kdl", "line": 2, "column": 14, "end_line": 2, "end_column": 26,
            "object": "StatefulSet/prometheus", "field": "spec.replicas", "help": "give one of them another name",
            "related": [{ "message": "second", "file": "lib/edge.kdl", "line": 1, "column": 10, "end_line": 1,
                          "end_column": 22 }],
        })
    );
    assert_eq!((&lines[0]["file"], lines.len()), (&serde_json::Value::Null, 3));
}

#[test]
fn sarif() {
    let log: serde_json::Value = serde_json::from_str(&text(Format::Sarif)).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results");
    assert_eq!((rules.len(), results.len()), (3, 3));
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(result["message"]["text"].is_string());
    }
    assert_eq!(rules[0]["helpUri"], "urn:pronoia:checks#IDN002");
    assert_eq!(results[1]["level"], "error");
    let physical = &results[1]["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "top%20ology.kdl");
    assert_eq!(
        physical["region"],
        serde_json::json!({ "startLine": 2, "startColumn": 14, "endLine": 2, "endColumn": 26 })
    );
    assert_eq!(
        results[1]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "lib/edge.kdl"
    );
    assert!(results[0].get("locations").is_none(), "a finding without place has no location");
}

#[test]
fn github() {
    assert_eq!(
        text(Format::Github),
        "::notice title=VER007::no digest\n\
         ::error file=top ology.kdl,line=2,col=14,endColumn=26,title=IDN002::two clusters are called `prod`%0Ahelp: give one of them another name\n\
         ::warning file=top ology.kdl,line=5,col=5,endColumn=16,title=STO009::100%25 of <b> | it, or: \"all\"%0Ahelp: write `x`\n"
    );
}

#[test]
fn checkstyle() {
    assert_eq!(
        text(Format::Checkstyle),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<checkstyle version="4.3">
  <file name="">
    <error severity="info" message="no digest" source="pronoia.VER007"/>
  </file>
  <file name="top ology.kdl">
    <error line="2" column="14" severity="error" message="two clusters are called `prod`" source="pronoia.IDN002"/>
    <error line="5" column="5" severity="warning" message="100% of &lt;b&gt; | it, or: &quot;all&quot;" source="pronoia.STO009"/>
  </file>
</checkstyle>
"#
    );
}

#[test]
fn junit() {
    assert_eq!(
        text(Format::Junit),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="pronoia" tests="3" failures="1" errors="0" skipped="0">
    <testcase classname="pronoia" name="VER007">
      <system-out>info: no digest</system-out>
    </testcase>
    <testcase classname="top ology.kdl" name="IDN002 top ology.kdl:2:14">
      <failure type="error" message="two clusters are called `prod`">two clusters are called `prod`&#10;help: give one of them another name</failure>
    </testcase>
    <testcase classname="top ology.kdl" name="STO009 top ology.kdl:5:5">
      <system-out>warning: 100% of &lt;b&gt; | it, or: &quot;all&quot;&#10;help: write `x`</system-out>
    </testcase>
  </testsuite>
</testsuites>
"#
    );
    let (diagnostics, sources) = sample();
    let options = Options { deny: Severity::Warning, ..Options::default() };
    assert!(render(Format::Junit, &options, &diagnostics, &sources).contains("failures=\"2\""));
    assert!(render(Format::Junit, &options, &[], &sources).contains("tests=\"1\" failures=\"0\""));
}

#[test]
fn markdown() {
    assert_eq!(
        text(Format::Markdown),
        "**1 error, 1 warning, 1 remark**\n\n\
         | severity | code | place | finding |\n|---|---|---|---|\n\
         | info | VER007 |  | no digest |\n\
         | error | IDN002 | `top ology.kdl:2` | two clusters are called `prod`<br>*help:* give one of them another name |\n\
         | warning | STO009 | `top ology.kdl:5` | 100% of &lt;b> \\| it, or: \"all\"<br>*help:* write `x` |\n"
    );
    assert_eq!(render(Format::Markdown, &Options::default(), &[], &Sources::default()), "No findings.\n");
}

#[test]
fn summary_counts() {
    let (diagnostics, _) = sample();
    assert_eq!(summary(&diagnostics), "1 error, 1 warning, 1 remark");
    assert_eq!(summary(&[]), "");
}

#[test]
fn merge_keeps_shared_findings_once() {
    let run = |extra: Option<&str>| {
        let mut sources = Sources::default();
        if let Some(path) = extra {
            sources.add(path, "x".into());
        }
        let file = sources.add("t.kdl", "abc".into());
        (sources, vec![Diagnostic::error("A", Span::new(file, 0, 1), "same")])
    };
    let (sources, diagnostics) = merge([run(None), run(Some("other.kdl"))]);
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(
        diagnostics[0].span.and_then(|span| sources.place(span)).map(|place| place.path),
        Some("t.kdl".into())
    );
}

#[test]
fn many_findings_in_one_large_file_take_no_quadratic_time() {
    let mut sources = Sources::default();
    let text = "node with some text\n".repeat(50_000);
    let file = sources.add("t.kdl", text.clone());
    let findings: Vec<Diagnostic> = (0..2_000)
        .map(|line| {
            Diagnostic::error(
                "KDL002",
                Span::new(file, text.len() - 20 * line - 20, text.len() - 20 * line - 16),
                "x",
            )
        })
        .collect();
    let begun = std::time::Instant::now();
    let drawn = render(Format::Human, &Options::default(), &findings, &sources);
    assert!(drawn.contains("[t.kdl:50000:1]"), "the last line is named");
    // Counting lines from the start for every label would read 6 GB.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
