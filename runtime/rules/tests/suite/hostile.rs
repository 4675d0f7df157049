//! No template panics, and each comes to an end.

use prom_model::TimestampMs;
use proptest::prelude::*;
use rules::{AlertTemplate, SampleValue, TemplateData};

use super::{FakeStorage, labels};

fn expand(text: &str) -> Result<String, String> {
    let mut storage = FakeStorage::default();
    storage.answer("up", 0, &[("__name__=up,job=b", 1.0)]);
    let own = labels("job=web");
    let data = TemplateData {
        labels: &own,
        value: &SampleValue::Float(f64::NAN),
        external_labels: &own,
        external_url: "",
        at: TimestampMs::from_millis(0),
    };
    AlertTemplate::new("x", text).expand(&data, &mut storage).map_err(|error| error.to_string())
}

#[test]
fn endless_templates_end() {
    let itself = "{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}";
    assert!(expand(itself).unwrap_err().ends_with("exceeded maximum template depth (400)"));
    let twice = "{{ define \"t\" }}{{ range 9 }}{{ if lt $ 9 }}{{ template \"t\" 1 }}{{ end }}{{ end }}{{ end }}\
                 {{ template \"t\" 1 }}";
    assert!(expand(twice).unwrap_err().contains("exceeded maximum template depth"));
    assert!(expand("{{ range 2000000000 }}{{ end }}").unwrap_err().contains("steps"));
    let wide = "{{ range 1000 }}{{ printf \"%999999d\" 1 }}{{ end }}";
    assert!(expand(wide).unwrap_err().contains("bytes"));
    let deep = format!("{}1{}", "{{ if true }}".repeat(90), "{{ end }}".repeat(90));
    assert_eq!(expand(&deep).as_deref(), Ok("1"));
}

/// Pieces of which templates are made.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    "\n",
    "|",
    "(",
    ")",
    ".",
    "$",
    ":=",
    "=",
    ",",
    "$labels",
    "$value",
    ".Labels",
    ".job",
    "\"a\"",
    "`b`",
    "'c'",
    "1",
    "-2.5",
    "1e9",
    "nil",
    "true",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "query",
    "\"up\"",
    "first",
    "value",
    "label",
    "humanize",
    "humanizeDuration",
    "toTime",
    "printf",
    "\"%v %5.2f %q %x %d %[2]*[1]d\"",
    "print",
    "index",
    "slice",
    "len",
    "eq",
    "lt",
    "and",
    "not",
    "args",
    "reReplaceAll",
    "match",
    "title",
    "stripDomain",
    "html",
    "js",
    ".Format",
    ".Add",
    "toDuration",
    "é",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_template_panics(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..24)) {
        let text = pieces.join(" ");
        let _ = expand(&text);
        let _ = expand(&format!("{{{{ {text} }}}}"));
        let _ = expand(&pieces.concat());
    }
}
