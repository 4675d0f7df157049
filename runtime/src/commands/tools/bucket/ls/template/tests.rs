//! What users write after `-o`, and what is refused.

use serde_json::json;

use super::*;

fn meta() -> Json {
    json!({
        "ulid": "01HK153X01GAJDH7ZAZ3C4NDAF", "minTime": 1704067200000_i64, "maxTime": 1704074400000_i64,
        "stats": {"numSamples": 3120, "numSeries": 13, "numChunks": 26},
        "compaction": {"level": 1, "sources": ["01HK153X01GAJDH7ZAZ3C4NDAF"]}, "version": 1,
        "thanos": {"labels": {"prometheus_replica": "a", "cluster": "eu"}, "downsample": {"resolution": 0},
            "source": "sidecar", "files": [{"rel_path": "index", "size_bytes": 12}]},
    })
}

fn render(text: &str) -> String {
    Template::parse(text).unwrap().render(&meta()).unwrap()
}

#[test]
fn what_users_write() {
    for (template, text) in [
        ("{{.ULID}}", "01HK153X01GAJDH7ZAZ3C4NDAF"),
        ("{{ .MinTime }}-{{ .MaxTime }}", "1704067200000-1704074400000"),
        ("{{.Thanos.Labels}}", "map[cluster:eu prometheus_replica:a]"),
        ("{{.Thanos.Labels.cluster}}", "eu"),
        ("{{index .Thanos.Labels \"cluster\"}}", "eu"),
        ("{{index .Thanos.Labels \"no such\"}}", ""),
        ("{{.Thanos.Labels.none}}", "<no value>"),
        ("{{.Thanos.Downsample}} {{.Thanos.Downsample.Resolution}}", "{0} 0"),
        ("{{.Compaction.Sources}}", "[01HK153X01GAJDH7ZAZ3C4NDAF]"),
        ("{{len .Compaction.Sources}}", "1"),
        ("{{.BlockMeta.Stats.NumSamples}}", "3120"),
        (
            "{{printf \"%s|%8d|%-4d|%q\" .ULID .Stats.NumSeries .Compaction.Level .Thanos.Source}}",
            "01HK153X01GAJDH7ZAZ3C4NDAF|      13|1   |\"sidecar\"",
        ),
        ("{{if eq .Thanos.Source \"sidecar\"}}raw{{else}}other{{end}}", "raw"),
        (
            "{{if gt .Compaction.Level 1}}c{{else if eq .Thanos.Downsample.Resolution 0}}r{{else}}d{{end}}",
            "r",
        ),
        (
            "{{range .Compaction.Sources}}<{{.}} of {{$.ULID}}>{{end}}",
            "<01HK153X01GAJDH7ZAZ3C4NDAF of 01HK153X01GAJDH7ZAZ3C4NDAF>",
        ),
        ("{{range .Compaction.Parents}}{{.ULID}}{{else}}none{{end}}", "none"),
        ("{{with .Thanos.Labels.cluster}}[{{.}}]{{end}}", "[eu]"),
        ("a  {{- /* nothing */ -}}  b", "ab"),
        ("{{and .ULID (not .Compaction.Failed) | printf \"%v\"}}", "true"),
        ("plain }} text", "plain }} text"),
    ] {
        assert_eq!(render(template), text, "{template}");
    }
}

#[test]
fn what_is_refused_says_why() {
    for (template, why) in [
        ("{{.ULID", "has no `}}`"),
        ("{{.Ulid}}", "a block has no field `Ulid`; there is ULID, MinTime"),
        ("{{.Thanos.Label}}", "there is Version, Labels"),
        ("{{.ULID.Time}}", "no field `Time`"),
        ("{{if .ULID}}x", "has no `{{end}}`"),
        ("{{end}}", "nothing is open"),
        ("{{$x := .ULID}}", "variables are not supported"),
        ("{{json .}}", "`json`: this is not supported"),
        ("{{template \"x\"}}", "`template` is not supported"),
        ("{{printf \"%x\" .MinTime}}", "use %s, %d"),
        ("{{printf \"%d\"}}", "has no value"),
        ("{{.ULID | .MinTime}}", "after `|` comes a function"),
        ("{{(.ULID}}", "`(` is not closed"),
        ("{{.ULID)}}", "`)` without `(`"),
        ("{{\"open}}", "has no `}}`"),
        ("{{}}", "a value is missing"),
        ("{{lt .ULID 1}}", "have no order"),
    ] {
        let error = Template::parse(template).unwrap_err().to_string();
        assert!(error.contains(why), "{template}: {error}");
    }
    let deep = "{{if .ULID}}".repeat(1000);
    assert!(Template::parse(&deep).unwrap_err().to_string().contains("levels"));
    let deep = format!("{{{{{}.ULID}}}}", "(".repeat(1000));
    assert!(Template::parse(&deep).unwrap_err().to_string().contains("levels"));
}

#[test]
fn no_text_is_too_strange() {
    const PIECES: [&str; 24] = [
        "{{",
        "}}",
        "{{-",
        " -}}",
        ".ULID",
        ".Thanos.Labels",
        ".",
        "$",
        "if ",
        "range ",
        "with ",
        "end",
        "else",
        " | ",
        "(",
        ")",
        "\"a\"",
        "`b`",
        "index ",
        "printf ",
        "len ",
        " 1 ",
        "\u{e9}\u{1F600}",
        "/* x */",
    ];
    let mut seed = 1_u64;
    let mut understood = 0;
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(PIECES[(seed >> 33) as usize % PIECES.len()]);
        }
        if let Ok(template) = Template::parse(&text) {
            understood += usize::from(template.render(&meta()).is_ok());
        }
    }
    assert!(understood > 1000, "{understood}");
}
