//! `diff`: files, folders, environments.

use super::*;

#[test]
fn topologies_and_folders_are_compared_by_meaning() {
    let sandbox = Sandbox::new();
    sandbox.write("a.kdl", &small("a"));
    sandbox.write("b.kdl", &small("a").replace("a-ns", "b-ns"));
    let same = sandbox.run(&["diff", "a.kdl", "a.kdl"]).ends_with(0);
    assert_eq!(same.out, "no differences\n");
    let ran = sandbox.run(&["diff", "a.kdl", "b.kdl"]).ends_with(2);
    assert!(ran.out.contains("- Namespace/a-ns\n+ Namespace/b-ns\n"), "{ran:?}");
    sandbox.run(&["diff", "a.kdl", "b.kdl", "--exit-zero"]).ends_with(0);
    let json = sandbox.run(&["diff", "a.kdl", "b.kdl", "--format", "json"]).ends_with(2);
    assert!(json.out.lines().all(|line| line.starts_with("{\"change\":")), "{json:?}");
    sandbox.run(&["render", "a.kdl", "-o", "out"]).ends_with(0);
    sandbox.run(&["diff", "out", "a.kdl"]).ends_with(0);
}

#[test]
fn environments_of_one_topology_are_compared() {
    let text = small("a").replacen(
        "    prometheus",
        "    env x {\n    }\n    env y {\n        prometheus replicas=3\n    }\n    prometheus",
        1,
    );
    let sandbox = Sandbox::with_topology(&text);
    sandbox.run(&["diff", "topology.kdl", "--env", "x", "--env", "x"]).ends_with(0);
    sandbox.run(&["diff", "topology.kdl", "--env", "x", "--env", "nope"]).ends_with(3);
    sandbox.run(&["diff", "topology.kdl", "--env", "x"]).ends_with(1);
}
