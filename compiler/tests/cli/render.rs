//! `render`: to a folder, to stdout, against a folder.

use super::*;

#[test]
fn a_folder_is_written_once_and_checked() {
    let sandbox = Sandbox::with_topology(&small("a"));
    sandbox.run(&["render", "--check", "out"]).ends_with(2);
    let first = sandbox.run(&["render", "-o", "out"]).ends_with(0);
    assert!(first.err.contains(" 0 removed"), "{first:?}");
    assert!(sandbox.read("out/topology.lock.json").contains("\"files\""));
    let second = sandbox.run(&["render", "-o", "out"]).ends_with(0);
    assert!(second.err.contains(" 0 written, 0 removed"), "{second:?}");
    let checked = sandbox.run(&["render", "--check", "out"]).ends_with(0);
    assert_eq!(checked.out, "");
    let namespaces = sandbox.read("out/00-namespaces.yaml");
    sandbox.write("out/00-namespaces.yaml", &namespaces.replace("a-ns", "b-ns"));
    let checked = sandbox.run(&["render", "--check", "out"]).ends_with(2);
    assert!(checked.out.contains("-  name: b-ns\n+  name: a-ns\n"), "{checked:?}");
}

#[test]
fn nothing_is_written_when_there_are_errors() {
    let sandbox = Sandbox::with_topology(BROKEN);
    sandbox.run(&["render", "-o", "out"]).ends_with(3);
    assert!(!sandbox.path("out").exists());
}

#[test]
fn foreign_folders_are_left_alone() {
    let sandbox = Sandbox::with_topology(&small("a"));
    sandbox.write("out/precious.txt", "mine");
    let ran = sandbox.run(&["render", "-o", "out"]).ends_with(1);
    assert!(ran.err.contains("--force"), "{ran:?}");
    assert_eq!(fs::read_dir(sandbox.path("out")).expect("list").count(), 1);
    sandbox.run(&["render", "-o", "out", "--force"]).ends_with(0);
    assert_eq!(sandbox.read("out/precious.txt"), "mine");
}

#[test]
fn stdout_carries_manifests_and_only_picks_files() {
    let sandbox = Sandbox::with_topology(&small("a"));
    let ran = sandbox.run(&["render", "--stdout"]).ends_with(0);
    assert!(ran.out.starts_with("---\n# 00-namespaces.yaml\n"), "{ran:?}");
    let one = sandbox.run(&["render", "--stdout", "--only", "00-*.yaml"]).ends_with(0);
    assert!(one.out.contains("kind: Namespace") && !one.out.contains("# 00-namespaces.yaml"), "{one:?}");
    sandbox.run(&["render", "--stdout", "--only", "no-such-*"]).ends_with(1);
}

#[test]
fn environments_get_a_folder_each() {
    let text = small("a").replacen(
        "    prometheus",
        "    env dev {\n        prometheus replicas=1\n    }\n    env prod {\n    }\n    prometheus",
        1,
    );
    let sandbox = Sandbox::with_topology(&text);
    sandbox.run(&["render", "--all-envs", "-o", "out"]).ends_with(0);
    assert!(
        sandbox.path("out/dev/00-namespaces.yaml").exists()
            && sandbox.path("out/prod/topology.lock.json").exists()
    );
    sandbox.run(&["render", "--env", "dev", "-o", "dev"]).ends_with(0);
    assert!(sandbox.path("dev/00-namespaces.yaml").exists());
}

#[test]
fn a_destination_is_needed() {
    Sandbox::with_topology(&small("a")).run(&["render"]).ends_with(1);
}

#[test]
fn the_same_topology_gives_the_same_bytes() {
    let sandbox = Sandbox::with_topology(&small("a"));
    let first = sandbox.run(&["render", "--stdout", "--only", "**"]).ends_with(0);
    let second = sandbox.run(&["render", "--stdout", "--only", "**"]).ends_with(0);
    assert!(!first.out.is_empty());
    assert_eq!(first.out, second.out);
}
