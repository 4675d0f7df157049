//! `fmt`: in place, as a check, as a filter.

use super::*;

const UGLY: &str = "// head\ntopology   x{\n  prometheus   replicas = 1_000 // tail\n\n\n\n}\n";
const NEAT: &str = "// head\ntopology x {\n    prometheus replicas=1_000 // tail\n}\n";

#[test]
fn rewrites_in_place_once() {
    let sandbox = Sandbox::with_topology(UGLY);
    let ran = sandbox.run(&["fmt"]).ends_with(0);
    assert_eq!(ran.err, "topology.kdl: formatted\n");
    assert_eq!(sandbox.read("topology.kdl"), NEAT);
    assert_eq!(sandbox.run(&["fmt", "topology.kdl"]).ends_with(0).err, "");
    assert_eq!(fs::read_dir(sandbox.folder.path()).expect("list").count(), 1, "no temporary file stays");
}

#[test]
fn check_prints_a_diff_and_writes_nothing() {
    let sandbox = Sandbox::with_topology(UGLY);
    let ran = sandbox.run(&["fmt", "--check", "topology.kdl"]).ends_with(2);
    assert!(ran.out.contains("\n+topology x {\n+    prometheus replicas=1_000 // tail\n"), "{ran:?}");
    assert_eq!(sandbox.read("topology.kdl"), UGLY);
    sandbox.write("topology.kdl", NEAT);
    sandbox.run(&["fmt", "--check"]).ends_with(0);
}

#[test]
fn broken_files_stay_and_the_others_are_formatted() {
    let sandbox = Sandbox::with_topology(UGLY);
    sandbox.write("broken.kdl", BROKEN);
    let ran = sandbox.run(&["fmt", "broken.kdl", "topology.kdl"]).ends_with(3);
    assert!(ran.err.contains("error[KDL001]"), "{ran:?}");
    assert_eq!((sandbox.read("broken.kdl").as_str(), sandbox.read("topology.kdl").as_str()), (BROKEN, NEAT));
}

#[test]
fn a_dash_is_a_filter() {
    let ran = Sandbox::new().run_with_input(&["fmt", "-"], UGLY).ends_with(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), (NEAT, ""));
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let sandbox = Sandbox::new();
    sandbox.write("real.kdl", UGLY);
    fs::set_permissions(sandbox.path("real.kdl"), fs::Permissions::from_mode(0o600)).expect("mode");
    symlink("real.kdl", sandbox.path("link.kdl")).expect("link");
    sandbox.run(&["fmt", "link.kdl"]).ends_with(0);
    assert_eq!(sandbox.read("real.kdl"), NEAT);
    assert!(fs::symlink_metadata(sandbox.path("link.kdl")).expect("link").is_symlink());
    assert_eq!(fs::metadata(sandbox.path("real.kdl")).expect("file").permissions().mode() & 0o777, 0o600);
}
