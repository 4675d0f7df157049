//! The files of `promtool test rules`, as they are written.

use prom_model::PromDuration;

use crate::checker::Checker;
use crate::config::{in_order, read};
use crate::record::Record;
use crate::schema::unit_test::{ALERT_TEST, EXPECTED_ALERT, EXPECTED_SAMPLE, EXPR_TEST, FILE, INPUT, TEST};
use crate::schema::{Shape, Struct};
use crate::tree::{Dialect, NodeId};
use crate::{Options, Problem};

const ROOT: Shape = Shape::Struct(&FILE);

/// The outcome of [`check_unit_tests`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnitTestsReport {
    /// Why `promtool` would not run the file; empty if it would.
    pub problems: Vec<Problem>,
    /// The tests. Only a file without problems has all of them right.
    pub file: UnitTestFile,
}

/// A file of unit tests; what it does not give has no value here.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnitTestFile {
    /// The files with the rules, or patterns of such.
    pub rule_files: Vec<String>,
    /// How often the rules are evaluated.
    pub evaluation_interval: PromDuration,
    /// Names of groups, in the order of their evaluation.
    pub group_eval_order: Vec<String>,
    /// Whether floats may differ in their last bit.
    pub fuzzy_compare: bool,
    /// The tests, in the order of the file.
    pub tests: Vec<UnitTest>,
}

/// One test: its input and what it expects.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnitTest {
    /// Its name.
    pub name: String,
    /// The distance between two values of an input series.
    pub interval: PromDuration,
    /// The time of the first value, as text; empty means the epoch.
    pub start_timestamp: String,
    /// The series that are there.
    pub input_series: Vec<InputSeries>,
    /// Labels of the Prometheus that evaluates the rules.
    pub external_labels: Vec<(String, String)>,
    /// Where that Prometheus is reached.
    pub external_url: String,
    /// The alerts that it expects.
    pub alert_rule_test: Vec<AlertTest>,
    /// The values that it expects.
    pub promql_expr_test: Vec<ExprTest>,
    /// The line of the test.
    pub line: u32,
}

/// A series with its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InputSeries {
    /// Name and labels.
    pub series: String,
    /// The values, in the notation of PromQL's tests.
    pub values: String,
    /// The line of the series.
    pub line: u32,
}

/// The alerts of one name that fire at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertTest {
    /// How long after the start.
    pub eval_time: PromDuration,
    /// The name of the alerts.
    pub alertname: String,
    /// The alerts.
    pub exp_alerts: Vec<ExpectedAlert>,
    /// The line of the expectation.
    pub line: u32,
}

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExpectedAlert {
    /// Its labels, the name left out.
    pub labels: Vec<(String, String)>,
    /// Its annotations.
    pub annotations: Vec<(String, String)>,
}

/// The value of an expression at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExprTest {
    /// The expression.
    pub expr: String,
    /// How long after the start.
    pub eval_time: PromDuration,
    /// The elements of its value.
    pub exp_samples: Vec<ExpectedSample>,
    /// The line of the expectation.
    pub line: u32,
}

/// An element of a value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExpectedSample {
    /// Name and labels, as PromQL writes them.
    pub labels: String,
    /// Its number.
    pub value: f64,
    /// Its histogram; the number does not count then. Empty if it is none.
    pub histogram: String,
}

/// Says whether `promtool test rules` would run a file, and what tests it holds.
pub fn check_unit_tests(text: &[u8], options: &Options) -> UnitTestsReport {
    let mut report = UnitTestsReport::default();
    let read = read(text, |tree| {
        let mut checker = Checker::new(tree, options, Dialect::V2);
        checker.doubt_tabs();
        if let Some(root) = tree.root() {
            checker.decode(root, &ROOT);
            if !checker.is_stopped() && !checker.is_null(root) {
                report.file = file(&mut checker, root);
            }
        }
        report.problems = in_order(checker.problems);
    });
    if let Err(problem) = read {
        report.problems = vec![problem];
    }
    report
}

fn file(c: &mut Checker<'_>, root: NodeId) -> UnitTestFile {
    let record = c.quiet_record(root, &FILE);
    UnitTestFile {
        rule_files: texts(c, &record, "rule_files"),
        evaluation_interval: duration(c, &record, "evaluation_interval"),
        group_eval_order: texts(c, &record, "group_eval_order"),
        fuzzy_compare: c.is_true(&record, "fuzzy_compare"),
        tests: entries(c, &record, "tests", &TEST, test),
    }
}

fn test(c: &mut Checker<'_>, record: &Record, line: u32) -> UnitTest {
    UnitTest {
        name: text(c, record, "name"),
        interval: duration(c, record, "interval"),
        start_timestamp: text(c, record, "start_timestamp"),
        input_series: entries(c, record, "input_series", &INPUT, |c, record, line| InputSeries {
            series: text(c, record, "series"),
            values: text(c, record, "values"),
            line,
        }),
        external_labels: pairs(c, record, "external_labels"),
        external_url: text(c, record, "external_url"),
        alert_rule_test: entries(c, record, "alert_rule_test", &ALERT_TEST, |c, record, line| AlertTest {
            eval_time: duration(c, record, "eval_time"),
            alertname: text(c, record, "alertname"),
            exp_alerts: entries(c, record, "exp_alerts", &EXPECTED_ALERT, |c, record, _| ExpectedAlert {
                labels: pairs(c, record, "exp_labels"),
                annotations: pairs(c, record, "exp_annotations"),
            }),
            line,
        }),
        promql_expr_test: entries(c, record, "promql_expr_test", &EXPR_TEST, |c, record, line| ExprTest {
            expr: text(c, record, "expr"),
            eval_time: duration(c, record, "eval_time"),
            exp_samples: entries(c, record, "exp_samples", &EXPECTED_SAMPLE, |c, record, _| ExpectedSample {
                labels: text(c, record, "labels"),
                value: c.number_or(record, "value", 0.0).unwrap_or_default(),
                histogram: text(c, record, "histogram"),
            }),
            line,
        }),
        line,
    }
}

fn entries<T>(
    c: &mut Checker<'_>,
    record: &Record,
    field: &str,
    of: &'static Struct,
    make: impl Fn(&mut Checker<'_>, &Record, u32) -> T,
) -> Vec<T> {
    let mut made = Vec::new();
    for item in c.items(record, field).to_vec() {
        let own = c.quiet_record(item, of);
        let line = c.tree.node(item).mark.line;
        made.push(make(c, &own, line));
    }
    made
}

fn text(c: &Checker<'_>, record: &Record, field: &str) -> String {
    c.text(record, field).to_owned()
}

fn texts(c: &Checker<'_>, record: &Record, field: &str) -> Vec<String> {
    c.items(record, field).iter().map(|item| c.scalar_text(*item).to_owned()).collect()
}

fn duration(c: &Checker<'_>, record: &Record, field: &str) -> PromDuration {
    c.duration_or(record, field, PromDuration::ZERO).unwrap_or_default()
}

fn pairs(c: &Checker<'_>, record: &Record, field: &str) -> Vec<(String, String)> {
    let Some(id) = c.get(record, field) else { return Vec::new() };
    let text = |id| c.scalar_text(id).to_owned();
    c.pairs(id).into_iter().map(|(key, value)| (text(key), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_read() {
        let text = "
rule_files: [a.yml, 'b/*.yml']
evaluation_interval: 30s
group_eval_order: [x, y]
fuzzy_compare: true
tests:
  - name: first
    interval: 1m
    start_timestamp: 2024-01-01T00:00:00Z
    external_labels: {region: eu}
    external_url: http://x/
    input_series:
      - {series: up, values: 1 2 _}
    alert_rule_test:
      - eval_time: 10m
        alertname: Down
        exp_alerts:
          - exp_labels: {job: a}
            exp_annotations: {summary: b}
          - {}
    promql_expr_test:
      - expr: up
        eval_time: 0
        exp_samples:
          - labels: up
            value: 1.5
          - histogram: '{{count:1}}'
  - {}
";
        let report = check_unit_tests(text.as_bytes(), &Options::default());
        assert_eq!(report.problems, []);
        let UnitTestFile { rule_files, evaluation_interval, group_eval_order, fuzzy_compare, tests } =
            report.file;
        assert_eq!((rule_files.len(), group_eval_order.len(), fuzzy_compare), (2, 2, true));
        assert_eq!(evaluation_interval, PromDuration::from_secs(30));
        let [first, second] = tests.as_slice() else { panic!("two tests") };
        assert_eq!(
            (first.name.as_str(), first.line, first.start_timestamp.as_str()),
            ("first", 7, "2024-01-01T00:00:00Z")
        );
        assert_eq!(first.input_series[0].values, "1 2 _");
        assert_eq!(first.alert_rule_test[0].exp_alerts.len(), 2);
        assert_eq!(first.promql_expr_test[0].exp_samples[0].value, 1.5);
        assert_eq!(first.promql_expr_test[0].exp_samples[1].histogram, "{{count:1}}");
        assert_eq!(second.input_series, []);
    }

    #[test]
    fn slips_are_named_with_their_place() {
        let text = "tests:\n  - input_serie: []\n    interval: fast\n";
        let report = check_unit_tests(text.as_bytes(), &Options::default());
        let shown: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown[0].starts_with("2:5: tests[0].input_serie: "), "{}", shown[0]);
        assert!(shown[0].contains("did you mean `input_series`"), "{}", shown[0]);
        assert!(shown[1].starts_with("3:15: tests[0].interval: "), "{}", shown[1]);
    }
}
