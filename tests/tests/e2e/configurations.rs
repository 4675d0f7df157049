//! Configurations, rules and alert tests, judged by the programs that read them in production.

use std::process::Command;

use tests::{program, repository};

use crate::trees;

#[test]
fn promtool_and_amtool_accept_every_configuration() {
    program::debian("promtool", "prometheus");
    program::debian("amtool", "prometheus-alertmanager");
    let mut oracle = program::oracle("prometheus_config.py");
    oracle.args(trees::all().iter().map(|tree| &tree.folder));
    let said = program::succeed(&mut oracle);
    print(&said);
    for judge in ["promtool check config", "promtool check rules", "amtool check-config"] {
        assert!(said.contains(judge), "no golden tree has anything for `{judge}`");
    }
}

#[test]
fn alerts_fire_when_they_should() {
    let mut tests = repository::below("templates/alerts/tests");
    assert!(!tests.is_empty(), "there are tests for the alerts");
    tests.push("runtime/rules/tests/data/templates.test.yaml".into());
    let mut promtool = program::debian("promtool", "prometheus");
    promtool.args(["test", "rules"]).args(&tests).current_dir(repository::root());
    program::succeed(&mut promtool);
    let mut pronoia = Command::new(program::pronoia());
    pronoia.args(["rules", "test"]).args(&tests).current_dir(repository::root());
    program::succeed(&mut pronoia);
}

#[expect(clippy::print_stdout, reason = "what was rewritten for the judge belongs into the log")]
fn print(text: &str) {
    println!("{text}");
}
