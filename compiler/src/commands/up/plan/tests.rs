//! Plans from rendered trees, and the way from one plan to the next.

use std::collections::BTreeMap;
use std::path::PathBuf;

use compiler::model::local::Machine;
use compiler::pipeline::{Request, Target, render};
use compiler::source::MemoryWorld;

use super::arguments::expand;
use super::*;

const TOPOLOGY: &str = r#"topology t {
    prometheus replicas=2 { scrape self; }
    rules health {
        alert Missing for="2m" severity=warning { expr "up == 0"; summary "it is gone"; }
    }
    bucket b { filesystem "/bucket"; }
    query replicas=1
}"#;

fn folders() -> Folders {
    Folders { config: "/d/config/current".into(), data: "/d/data".into(), secrets: "/d/secrets".into() }
}

fn planned(kdl: &str, only: &[&str]) -> anyhow::Result<Plan> {
    let request = Request {
        path: "t.kdl".to_string(),
        target: Target::Local,
        machine: Machine { port_offset: 100, ..Machine::default() },
        ..Request::default()
    };
    let outcome = render(&MemoryWorld::single("t.kdl", kdl), &request);
    let only: Vec<String> = only.iter().map(ToString::to_string).collect();
    Plan::new(&outcome.artefacts, &folders(), &Programs::default(), &only, &|name| name == "SET")
}

fn plan(kdl: &str) -> Plan {
    planned(kdl, &[]).expect("a plan")
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.processes.iter().map(|spec| spec.name.as_str()).collect()
}

#[test]
fn placeholders_are_paths_of_this_machine() {
    let known = [("A", "/x".to_string())];
    assert_eq!(expand("--d=$(A)/é", &known), "--d=/x/é");
    assert_eq!(expand("$$(A) $(B) $$$(A) $", &known), "$(A) $(B) $/x $");
}

#[test]
fn a_process_starts_behind_those_that_it_waits_for() {
    let plan = plan(TOPOLOGY);
    let at = |name: &str| plan.processes.iter().position(|spec| spec.name == name);
    for spec in &plan.processes {
        assert!(spec.after.iter().all(|name| at(name) < at(&spec.name)), "{}: {:?}", spec.name, names(&plan));
    }
    let prometheus = plan.get("t-prometheus-1").expect("planned");
    assert_eq!(prometheus.url(), "http://127.0.0.1:9191/");
    let file = "--config.file=/d/data/loaded/t-prometheus-1/prometheus/prometheus.yml";
    assert!(prometheus.args.iter().any(|arg| arg == file), "{:?}", prometheus.args);
    assert_eq!(prometheus.init.last().map(String::as_str), Some("--once"));
    let reloader = plan.get("t-prometheus-1-reloader").expect("planned");
    assert_eq!(reloader.after, ["t-prometheus-1"]);
    assert_eq!(reloader.ports["http"], 12202);
    assert!(reloader.watches.contains_key("prometheus/t-prometheus-1.yml"));
    assert!(reloader.watches.contains_key("rules/health.yml"));
}

#[test]
fn only_takes_processes_and_kinds_and_brings_their_reloaders() {
    let plan = planned(TOPOLOGY, &["t-prometheus-0"]).expect("a plan");
    assert_eq!(names(&plan), ["t-prometheus-0", "t-prometheus-0-reloader"]);
    let plan = planned(TOPOLOGY, &["query"]).expect("a plan");
    assert_eq!(names(&plan), ["t-thanos-query-0"]);
    assert!(plan.processes[0].after.is_empty());
    let error = planned(TOPOLOGY, &["nobody"]).expect_err("unknown").to_string();
    assert!(error.contains("--only nobody") && error.contains("t-prometheus-0"), "{error}");
}

const CLUSTERS: &str = "topology w {
    cluster a { prometheus replicas=1 { scrape self; }; }
    cluster b { prometheus replicas=1 { scrape self; }; }
}";

#[test]
fn clusters_have_folders_of_their_own() {
    let plan = plan(CLUSTERS);
    let b = plan.get("b/w-prometheus-0").expect("planned");
    assert_eq!(b.working_dir, PathBuf::from("/d/data/b"));
    let found = changes(&plan, &planned(CLUSTERS, &["b/w-prometheus-0"]).expect("a plan"));
    let gone = ["a/w-prometheus-0-reloader", "a/w-prometheus-0"];
    assert_eq!(found, gone.map(|name| Change::Stop(name.to_string())), "a full name means one cluster");
    assert_eq!(plan.get("b/w-prometheus-0-reloader").expect("planned").after, ["b/w-prometheus-0"]);
}

#[test]
fn an_edit_changes_what_it_is_about() {
    let old = plan(TOPOLOGY);
    assert_eq!(changes(&old, &plan(TOPOLOGY)), []);
    let rule = plan(&TOPOLOGY.replace("up == 0", "up < 1"));
    let reload = |number: u32| Change::Reload(format!("t-prometheus-{number}-reloader"));
    assert_eq!(changes(&old, &rule), [reload(0), reload(1)]);
    let timeout = plan(&TOPOLOGY.replace("query replicas=1", "query replicas=1 timeout=\"3m\""));
    let why = "arguments changed: --query.timeout".to_string();
    assert_eq!(changes(&old, &timeout), [Change::Restart("t-thanos-query-0".to_string(), why)]);
    let fewer = plan(&TOPOLOGY.replace("prometheus replicas=2", "prometheus replicas=1"));
    let found = changes(&old, &fewer);
    assert_eq!(
        found[..3],
        ["-sidecar", "-reloader", ""].map(|part| Change::Stop(format!("t-prometheus-1{part}"))),
        "those that depend on it go first: {found:?}"
    );
    let back = changes(&fewer, &old);
    assert!(back.contains(&Change::Start("t-prometheus-1".to_string())), "{back:?}");
}

#[test]
fn the_bucket_is_read_at_the_start() {
    let old = plan(TOPOLOGY);
    let new = plan(&TOPOLOGY.replace("bucket b {", "bucket b prefix=\"p\" {"));
    let why = "objstore.yml changed".to_string();
    assert!(changes(&old, &new).contains(&Change::Restart("t-prometheus-0-sidecar".to_string(), why)));
}

#[test]
fn a_variable_that_is_not_set_keeps_a_process_away() {
    let entry = |environment: &[&str]| Entry {
        name: "n".to_string(),
        program: "pronoiad".to_string(),
        component: "store".to_string(),
        args: Vec::new(),
        init: Vec::new(),
        working_dir: String::new(),
        environment: environment.iter().map(ToString::to_string).collect(),
        ports: BTreeMap::new(),
        ready_url: String::new(),
        data_dir: String::new(),
        after: Vec::new(),
    };
    let is_set = |name: &str| name == "SET";
    assert_eq!(reason(&entry(&["SET"]), &Programs::default(), &is_set), None);
    let why = reason(&entry(&["SET", "UNSET"]), &Programs::default(), &is_set);
    assert_eq!(why.as_deref(), Some("it needs the environment variable UNSET"));
}
