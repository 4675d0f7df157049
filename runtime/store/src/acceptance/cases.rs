//! The cases: what is asked.

use storeapi::thanos::label_matcher::Type;
use storeapi::thanos::{
    LabelMatcher, LabelNamesRequest, LabelValuesRequest, PartialResponseStrategy, SeriesRequest, ShardInfo,
};
use tonic::Code;

use super::{Dataset, END, START, STEP, Traits};

/// One promise.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name.
    pub name: String,
    pub(super) asked: Asked,
    needs: fn(Traits) -> bool,
}

/// What is asked, and how the answer is judged.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// As the reference answers.
    Series(SeriesRequest),
    Names(LabelNamesRequest),
    Values(LabelValuesRequest),
    /// With an error of this code.
    Refused(SeriesRequest, Code),
    NamesRefused(LabelNamesRequest, Code),
    ValuesRefused(LabelValuesRequest, Code),
    /// The shards together are everything, and no series is in two.
    Shards(SeriesRequest, i64),
    /// A call that is cancelled ends with an error or has its answer already; it does not hang or panic.
    Cancelled(SeriesRequest),
    /// An answer that nobody reads does no harm to the next.
    Dropped(SeriesRequest),
    /// The same answer every time.
    Repeated(SeriesRequest),
}

impl Case {
    /// Whether a store with these traits has to keep it.
    pub fn applies(&self, traits: Traits) -> bool {
        (self.needs)(traits)
    }

    fn new(name: impl Into<String>, asked: Asked) -> Self {
        Case { name: name.into(), asked, needs: |_| true }
    }

    fn needing(mut self, needs: fn(Traits) -> bool) -> Self {
        self.needs = needs;
        self
    }
}

fn matcher(kind: Type, name: &str, value: &str) -> LabelMatcher {
    LabelMatcher { r#type: kind.into(), name: name.to_owned(), value: value.to_owned() }
}

fn request(matchers: Vec<LabelMatcher>) -> SeriesRequest {
    SeriesRequest {
        min_time: START,
        max_time: END,
        matchers,
        partial_response_strategy: PartialResponseStrategy::Abort.into(),
        ..SeriesRequest::default()
    }
}

fn names(matchers: Vec<LabelMatcher>) -> LabelNamesRequest {
    LabelNamesRequest {
        start: START,
        end: END,
        matchers,
        partial_response_strategy: PartialResponseStrategy::Abort.into(),
        ..LabelNamesRequest::default()
    }
}

fn values(label: &str, matchers: Vec<LabelMatcher>) -> LabelValuesRequest {
    LabelValuesRequest {
        label: label.to_owned(),
        start: START,
        end: END,
        matchers,
        partial_response_strategy: PartialResponseStrategy::Abort.into(),
        ..LabelValuesRequest::default()
    }
}

/// Selectors by name; those in braces behind `external` are about external labels alone.
fn selectors() -> Vec<(&'static str, Vec<LabelMatcher>)> {
    use Type::{Eq, Neq, Nre, Re};
    let name = |value| matcher(Eq, "__name__", value);
    let and = |value, kind, label, with| vec![name(value), matcher(kind, label, with)];
    vec![
        ("eq", vec![name("up")]),
        ("eq_unknown_metric", vec![name("nothing")]),
        ("eq_two", and("up", Eq, "job", "api")),
        ("eq_unknown_value", and("up", Eq, "job", "nobody")),
        ("eq_unknown_label", and("up", Eq, "nolabel", "x")),
        ("eq_empty_of_present", and("requests_total", Eq, "job", "")),
        ("eq_empty_of_absent", and("up", Eq, "nolabel", "")),
        ("eq_contradiction", vec![name("up"), name("late")]),
        ("eq_twice", vec![name("up"), name("up")]),
        ("neq", and("up", Neq, "job", "api")),
        ("neq_unknown_value", and("up", Neq, "job", "nobody")),
        ("neq_empty", and("requests_total", Neq, "code", "")),
        ("neq_of_absent_label", and("up", Neq, "nolabel", "x")),
        ("neq_empty_of_absent_label", and("up", Neq, "nolabel", "")),
        ("neq_includes_absent", and("requests_total", Neq, "code", "200")),
        ("re_alternatives", and("up", Re, "job", "api|db")),
        ("re_alternatives_unknown", and("up", Re, "job", "api|nobody")),
        ("re_prefix", and("up", Re, "job", "a.*")),
        ("re_suffix", and("up", Re, "job", ".*e")),
        ("re_infix", and("up", Re, "job", ".*od.*")),
        ("re_is_anchored", and("up", Re, "job", "a")),
        ("re_dot_plus", and("requests_total", Re, "code", ".+")),
        ("re_dot_star", and("requests_total", Re, "code", ".*")),
        ("re_empty", and("requests_total", Re, "code", "")),
        ("re_or_empty", and("requests_total", Re, "code", "200|")),
        ("re_class", and("requests_total", Re, "code", "[45]..")),
        ("re_digits", and("requests_total", Re, "code", "\\d+")),
        ("re_case_insensitive", and("up", Re, "job", "(?i)API")),
        ("re_of_absent_label", and("up", Re, "nolabel", "x?")),
        ("re_group", and("up", Re, "instance", "(a|b):9090")),
        ("re_escaped_dot", and("odd", Re, "path", "a\\.b\\|c\\*d")),
        ("re_newline", and("odd", Re, "path", "(?s:.*c\n)")),
        ("re_not_ascii", and("odd", Re, "path", "Ü.*☃")),
        ("re_repetition", and("odd", Re, "path", "x{300}")),
        ("re_metric", vec![matcher(Re, "__name__", "up|late")]),
        ("re_metric_prefix", vec![matcher(Re, "__name__", "re.+")]),
        ("re_metric_everything", vec![matcher(Re, "__name__", ".+")]),
        ("nre_alternatives", and("up", Nre, "job", "api|db")),
        ("nre_prefix", and("up", Nre, "job", "a.*")),
        ("nre_dot_plus", and("requests_total", Nre, "code", ".+")),
        ("nre_dot_star", and("requests_total", Nre, "code", ".*")),
        ("nre_empty", and("requests_total", Nre, "code", "")),
        ("nre_of_absent_label", and("up", Nre, "nolabel", "x")),
        ("nre_not_everything", and("up", Nre, "job", "nobody")),
        (
            "all_kinds",
            vec![
                name("requests_total"),
                matcher(Neq, "code", "404"),
                matcher(Re, "method", "GET|POST"),
                matcher(Nre, "code", "5.."),
            ],
        ),
        ("without_metric", vec![matcher(Eq, "job", "db")]),
        ("without_metric_re", vec![matcher(Re, "instance", ".+")]),
        ("value_with_quotes", and("odd", Eq, "path", "/a\"b\\c\n")),
        ("value_not_ascii", and("odd", Eq, "path", "Überraschung ☃")),
        ("value_with_expression", and("odd", Eq, "path", "a.b|c*d")),
        ("with_external_eq", and("up", Eq, "cluster", "eu")),
        ("with_external_other", and("up", Eq, "cluster", "mars")),
        ("with_external_neq", and("up", Neq, "cluster", "us")),
        ("with_external_re", and("up", Re, "cluster", "eu|us")),
        ("with_external_nre", and("up", Nre, "cluster", "us")),
        ("with_external_empty", and("up", Eq, "cluster", "")),
        ("with_external_not_empty", and("up", Neq, "cluster", "")),
        ("with_replica", and("up", Eq, "replica", "a")),
        ("external_wins_over_own", and("mine", Eq, "cluster", "own")),
        ("external_wins_over_own_eu", and("mine", Eq, "cluster", "eu")),
    ]
}

/// Ranges of time by name.
fn ranges() -> Vec<(&'static str, i64, i64)> {
    vec![
        ("all", START, END),
        ("before", START - 1000 * STEP, START - 1),
        ("up_to_first", START - STEP, START),
        ("from_last", END, END + STEP),
        ("after_most", END + 1, END + 100 * STEP),
        ("first_half", START, START + 29 * STEP),
        ("second_half", START + 30 * STEP, END),
        ("gap", START + 15 * STEP, START + 35 * STEP),
        ("gap_from_its_edge", START + 9 * STEP, START + 35 * STEP),
        ("gap_to_its_edge", START + 15 * STEP, START + 40 * STEP),
        ("between_samples", START + 5 * STEP + 1, START + 6 * STEP - 1),
        ("around_single", START + 30 * STEP - 1, START + 30 * STEP + 1),
        ("later_chunks", START + 130 * STEP, START + 250 * STEP),
        ("last_chunk", START + 599 * STEP, START + 700 * STEP),
        ("long", START - 1_000_000 * STEP, END + 1_000_000 * STEP),
    ]
}

/// All cases.
pub fn cases(data: &Dataset) -> Vec<Case> {
    let mut all = Vec::new();
    for (name, matchers) in selectors() {
        all.push(Case::new(format!("series_{name}"), Asked::Series(request(matchers.clone()))));
        let labels_only = SeriesRequest { skip_chunks: true, ..request(matchers.clone()) };
        all.push(Case::new(format!("series_without_chunks_{name}"), Asked::Series(labels_only)));
        all.push(Case::new(format!("names_{name}"), Asked::Names(names(matchers.clone()))));
        for label in ["job", "cluster"] {
            let asked = Asked::Values(values(label, matchers.clone()));
            all.push(Case::new(format!("values_of_{label}_{name}"), asked));
        }
    }
    let everything = || vec![matcher(Type::Re, "__name__", ".+")];
    for (name, min_time, max_time) in ranges() {
        let series = SeriesRequest { min_time, max_time, ..request(everything()) };
        all.push(Case::new(format!("range_{name}"), Asked::Series(series.clone())));
        let labels_only = SeriesRequest { skip_chunks: true, ..series };
        all.push(Case::new(format!("range_without_chunks_{name}"), Asked::Series(labels_only)));
    }
    let instant = |min_time| SeriesRequest { min_time, max_time: min_time, ..request(everything()) };
    for (name, at) in [("first", START), ("last", END), ("middle", START + 30 * STEP)] {
        let case = Case::new(format!("instant_{name}"), Asked::Series(instant(at)));
        all.push(case.needing(|traits| traits.instants));
    }
    let widest = SeriesRequest { min_time: i64::MIN, max_time: i64::MAX, ..request(everything()) };
    all.push(Case::new("range_widest", Asked::Series(widest)).needing(|traits| traits.widest_range));
    for limit in [1, 2, 5, 1000] {
        let series = SeriesRequest { limit, ..request(everything()) };
        let labels_only = SeriesRequest { skip_chunks: true, ..series.clone() };
        all.push(
            Case::new(format!("limit_{limit}"), Asked::Series(series)).needing(|traits| traits.limits_chunks),
        );
        all.push(Case::new(format!("limit_without_chunks_{limit}"), Asked::Series(labels_only)));
        let asked = LabelValuesRequest { limit, ..values("__name__", Vec::new()) };
        all.push(Case::new(format!("limit_values_{limit}"), Asked::Values(asked)));
    }
    all.push(Case::new(
        "limit_negative",
        Asked::Series(SeriesRequest { limit: -1, ..request(everything()) }),
    ));
    all.extend(sharded(&everything));
    all.extend(replicas(&everything));
    all.extend(label_calls(data));
    all.extend(refused());
    for size in [0, 1, 2, 64, 100_000] {
        let asked = SeriesRequest { response_batch_size: size, ..request(everything()) };
        all.push(Case::new(format!("batches_of_{size}"), Asked::Series(asked)));
    }
    all.push(Case::new("cancelled", Asked::Cancelled(request(everything()))));
    all.push(Case::new("dropped", Asked::Dropped(request(everything()))));
    all.push(Case::new("repeated", Asked::Repeated(request(everything()))));
    for (name, strategy) in
        [("warn", PartialResponseStrategy::Warn), ("abort", PartialResponseStrategy::Abort)]
    {
        let asked = SeriesRequest { partial_response_strategy: strategy.into(), ..request(everything()) };
        all.push(Case::new(format!("complete_{name}"), Asked::Series(asked)));
    }
    let external = vec![matcher(Type::Eq, "cluster", "eu")];
    all.push(
        Case::new("external_alone", Asked::Series(request(external))).needing(|traits| traits.external_alone),
    );
    all
}

fn sharded(everything: &dyn Fn() -> Vec<LabelMatcher>) -> Vec<Case> {
    let mut all = Vec::new();
    let shards = |total_shards, shard_index, by, labels: &[&str]| ShardInfo {
        shard_index,
        total_shards,
        by,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    for total in [1, 2, 3, 7] {
        for (name, by, labels) in [
            ("by_job", true, &["job"][..]),
            ("by_two", true, &["job", "instance"]),
            ("by_nothing", true, &[]),
            ("without_instance", false, &["instance"]),
            ("without_nothing", false, &[]),
        ] {
            let info = shards(total, 0, by, labels);
            let asked = SeriesRequest { shard_info: Some(info), ..request(everything()) };
            all.push(Case::new(format!("shards_{total}_{name}"), Asked::Shards(asked.clone(), total)));
            let labels_only = SeriesRequest { skip_chunks: true, ..asked };
            all.push(
                Case::new(format!("shards_without_chunks_{total}_{name}"), Asked::Shards(labels_only, total))
                    .needing(|traits| traits.shards_labels),
            );
        }
    }
    let none = SeriesRequest { shard_info: Some(shards(0, 0, false, &[])), ..request(everything()) };
    all.push(Case::new("shards_none", Asked::Series(none)));
    all
}

fn replicas(everything: &dyn Fn() -> Vec<LabelMatcher>) -> Vec<Case> {
    let mut all = Vec::new();
    for (name, labels) in [
        ("external", &["replica"][..]),
        ("external_two", &["replica", "cluster"]),
        ("own", &["instance"]),
        ("both", &["instance", "replica"]),
        ("unknown", &["nolabel"]),
        ("metric", &["__name__"]),
    ] {
        let removed: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        let series = SeriesRequest { without_replica_labels: removed.clone(), ..request(everything()) };
        all.push(Case::new(format!("replicas_{name}"), Asked::Series(series.clone())));
        let labels_only = SeriesRequest { skip_chunks: true, ..series };
        all.push(Case::new(format!("replicas_without_chunks_{name}"), Asked::Series(labels_only)));
        let asked = LabelNamesRequest { without_replica_labels: removed.clone(), ..names(Vec::new()) };
        all.push(Case::new(format!("replicas_names_{name}"), Asked::Names(asked)));
        for label in ["replica", "job"] {
            let removed = removed.clone();
            let asked = LabelValuesRequest { without_replica_labels: removed, ..values(label, Vec::new()) };
            all.push(Case::new(format!("replicas_values_of_{label}_{name}"), Asked::Values(asked)));
        }
    }
    all
}

fn label_calls(data: &Dataset) -> Vec<Case> {
    let mut all = vec![Case::new("names_all", Asked::Names(names(Vec::new())))];
    let mut labels = vec!["__name__", "job", "instance", "code", "method", "path", "nolabel"];
    let external: Vec<&str> =
        data.parts.iter().flat_map(|part| part.external.iter().map(|(name, _)| name.as_str())).collect();
    labels.extend(external);
    labels.sort_unstable();
    labels.dedup();
    for label in labels {
        all.push(Case::new(format!("values_all_of_{label}"), Asked::Values(values(label, Vec::new()))));
        let matchers = vec![matcher(Type::Eq, "__name__", "requests_total")];
        all.push(Case::new(format!("values_some_of_{label}"), Asked::Values(values(label, matchers))));
    }
    for (name, start, end) in [("early", START, START + 5 * STEP), ("late", START + 55 * STEP, END)] {
        let asked = LabelNamesRequest { start, end, ..names(Vec::new()) };
        all.push(Case::new(format!("names_{name}"), Asked::Names(asked)));
        let asked = LabelValuesRequest { start, end, ..values("__name__", Vec::new()) };
        all.push(Case::new(format!("values_{name}"), Asked::Values(asked)));
    }
    all
}

fn refused() -> Vec<Case> {
    let bad = |value: &str| vec![matcher(Type::Eq, "__name__", "up"), matcher(Type::Re, "job", value)];
    let strange = LabelMatcher { r#type: 9, name: "job".to_owned(), value: "api".to_owned() };
    vec![
        Case::new("refused_open_class", Asked::Refused(request(bad("[")), Code::InvalidArgument)),
        Case::new("refused_lookahead", Asked::Refused(request(bad("(?=a)")), Code::InvalidArgument)),
        Case::new("refused_matcher_type", Asked::Refused(request(vec![strange]), Code::InvalidArgument)),
        Case::new("refused_names", Asked::NamesRefused(names(bad("(")), Code::InvalidArgument)),
        Case::new("refused_values", Asked::ValuesRefused(values("job", bad("(")), Code::InvalidArgument)),
        Case::new("refused_no_label", Asked::ValuesRefused(values("", Vec::new()), Code::InvalidArgument)),
    ]
}
