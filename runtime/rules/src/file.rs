//! Reads rule files and files of unit tests, by the rules of the newest Prometheus.

use prom_config::{
    Kind, Options, Problem, RuleGroup, UnitTestFile, UnknownFields, Version, check_rules, check_unit_tests,
};
use promql_syntax::{ParseOptions, parse_with};

/// The release whose files are read.
const VERSION: Version = Version::new(3, 14, 0);

/// How a rule file is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileOptions {
    /// Whether fields that Prometheus does not have are left out.
    pub ignore_unknown_fields: bool,
    /// The parts of the language that feature flags switch on.
    pub parse: ParseOptions,
}

/// The groups of a rule file, or why Prometheus would not load it.
pub fn read_rules(text: &[u8], options: &FileOptions) -> Result<Vec<RuleGroup>, Vec<Problem>> {
    let unknown_fields =
        if options.ignore_unknown_fields { UnknownFields::Allow } else { UnknownFields::Deny };
    let report = check_rules(text, &Options { version: Some(VERSION), unknown_fields });
    // What hangs on a feature flag is decided here, where the flags are known.
    let mut problems: Vec<Problem> = report.problems.into_iter().filter(|problem| problem.certain).collect();
    if problems.is_empty() {
        for (at, group) in report.groups.iter().enumerate() {
            for (rule_at, rule) in group.rules.iter().enumerate() {
                let (_, errors) = parse_with(&rule.expr, &options.parse);
                problems.extend(errors.first().map(|error| Problem {
                    path: format!("groups[{at}].rules[{rule_at}].expr"),
                    line: rule.line,
                    column: 1,
                    kind: Kind::Expression,
                    message: error.located(&rule.expr),
                    certain: true,
                }));
            }
        }
    }
    if problems.is_empty() { Ok(report.groups) } else { Err(problems) }
}

/// The tests of a file, or why `promtool` would not run it.
pub fn read_unit_tests(text: &[u8]) -> Result<UnitTestFile, Vec<Problem>> {
    let options = Options { version: Some(VERSION), ..Options::default() };
    let report = check_unit_tests(text, &options);
    let problems: Vec<Problem> = report.problems.into_iter().filter(|problem| problem.certain).collect();
    if problems.is_empty() { Ok(report.file) } else { Err(problems) }
}
