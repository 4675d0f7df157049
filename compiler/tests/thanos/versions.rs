//! The same topology for every release: each command line holds what that release knows, and nothing is lost on the way.

use compiler::facts::{Component, FlagStatus, Program, flag_status};
use serde_json::Value;

use super::everything;

const RELEASES: [&str; 5] = ["0.28.0", "0.31.0", "0.37.0", "0.38.0", "0.42.4"];

/// Flags that younger releases add, with the first release among [`RELEASES`] that has them. Anything else that the
/// newest release gets, every release gets.
const LATER: &[(&str, &str)] = &[
    ("--enable-auto-gomemlimit", "0.37.0"),
    ("--query.promql-engine", "0.31.0"),
    ("--query.tenant-header", "0.37.0"),
    ("--query.default-tenant-id", "0.37.0"),
    ("--query.tenant-label-name", "0.37.0"),
    ("--query-frontend.tenant-header", "0.37.0"),
    ("--query-frontend.default-tenant-id", "0.37.0"),
    ("--disable-admin-operations", "0.37.0"),
    ("--tsdb.out-of-order.time-window", "0.31.0"),
    ("--receive.limits-config-file", "0.31.0"),
];

/// (object, flag) of every Thanos container, the flag without its value.
fn flags(version: &str) -> Vec<(String, String)> {
    let tree = everything(version);
    let mut flags = Vec::new();
    for (_, object) in tree.objects.iter().filter(|(path, _)| path.starts_with("60-thanos/")) {
        let Some(args) = object.pointer("/spec/template/spec/containers/0/args") else { continue };
        let args: Vec<&str> = args.as_array().expect("list").iter().filter_map(Value::as_str).collect();
        let command = args[0];
        let component =
            Component::ALL.into_iter().find(|known| known.as_str() == command).expect("a command");
        let release = version.parse().expect("a release");
        for arg in &args[1..] {
            let status = flag_status(&Program::Thanos(component), release, arg);
            assert!(
                matches!(status, FlagStatus::Known | FlagStatus::Deprecated { .. }),
                "thanos {command} {version} has no {arg}: {status:?}"
            );
            let name = arg.split_once('=').map_or(*arg, |(name, _)| name);
            flags.push((super::title(object), name.to_string()));
        }
    }
    flags
}

#[test]
fn every_release_gets_every_flag_that_it_has() {
    let newest = flags("0.42.4");
    for (at, version) in RELEASES.into_iter().enumerate() {
        let found = flags(version);
        for wanted in &newest {
            let later = LATER.iter().find(|(flag, _)| *flag == wanted.1);
            let due = later.is_none_or(|(_, first)| RELEASES.iter().position(|v| v == first) <= Some(at));
            // The store gateway can switch its admin operations off only since 0.39.
            let due =
                due && (wanted.1 != "--disable-admin-operations" || wanted.0.contains("compact") || at >= 4);
            assert_eq!(found.contains(wanted), due, "{} {} in {version}", wanted.0, wanted.1);
        }
    }
}

#[test]
fn old_releases_learn_the_memory_limit_from_the_environment() {
    let tree = everything("0.31.0");
    let env =
        &tree.object("StatefulSet/all-thanos-store")["spec"]["template"]["spec"]["containers"][0]["env"];
    let limit = env.as_array().expect("env").iter().find(|variable| variable["name"] == "GOMEMLIMIT");
    assert_eq!(limit.map(|variable| variable["value"].clone()), Some("1932735276".into()), "90 % of 2Gi");
}

#[test]
fn predecessors_stand_in_for_flags_that_came_later() {
    let tree = everything("0.31.0");
    let front = "Deployment/all-thanos-query-frontend";
    assert_eq!(tree.flag(front, "--query-frontend.org-id-header"), ["X-Tenant"]);
    let tree = everything("0.32.0");
    assert_eq!(tree.flag("Deployment/all-thanos-query", "--query.default-tenant"), ["shared"]);
}
