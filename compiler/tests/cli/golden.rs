//! `golden`: the way from a new example to an accepted tree, and back when something changes.

use super::*;

#[test]
fn check_accept_change_accept() {
    let sandbox = Sandbox::new();
    sandbox.write("examples/one.kdl", &small("one"));
    sandbox.write("examples/two.kdl", &small("two"));
    let ran = sandbox.run(&["golden"]).ends_with(2);
    assert!(ran.out.contains("+++ b/one/00-namespaces.yaml"), "{ran:?}");
    sandbox.run(&["golden", "--accept"]).ends_with(0);
    assert!(sandbox.read("golden/one/00-namespaces.yaml").contains("name: one-ns"));
    sandbox.run(&["golden", "--check"]).ends_with(0);

    sandbox.write("examples/two.kdl", &small("two").replace("two-ns", "other"));
    sandbox.write("golden/two/stale.yaml", "a: 1\n");
    let ran = sandbox.run(&["golden", "--check"]).ends_with(2);
    assert!(ran.out.contains("-  name: two-ns\n+  name: other\n"), "{ran:?}");
    assert!(ran.out.contains("--- a/two/stale.yaml\n+++ /dev/null\n"), "{ran:?}");
    sandbox.run(&["golden", "--check", "golden/one"]).ends_with(0);
    sandbox.run(&["golden", "--accept", "two"]).ends_with(0);
    assert!(!sandbox.path("golden/two/stale.yaml").exists());
    sandbox.run(&["golden"]).ends_with(0);
}

#[test]
fn environments_have_trees_of_their_own() {
    let sandbox = Sandbox::new();
    let text = small("one").replacen(
        "    prometheus",
        "    env dev {\n        prometheus replicas=1\n    }\n    prometheus",
        1,
    );
    sandbox.write("examples/one.kdl", &text);
    sandbox.run(&["golden", "--accept"]).ends_with(0);
    assert!(sandbox.path("golden/one/00-namespaces.yaml").exists());
    assert!(sandbox.path("golden/one.dev/00-namespaces.yaml").exists());
}

#[test]
fn broken_examples_and_wrong_names_are_told() {
    let sandbox = Sandbox::new();
    sandbox.run(&["golden"]).ends_with(1);
    sandbox.write("examples/one.kdl", BROKEN);
    let ran = sandbox.run(&["golden"]).ends_with(3);
    assert!(ran.err.contains("examples/one.kdl:1:12"), "{ran:?}");
    sandbox.write("examples/two.kdl", &small("two"));
    sandbox.run(&["golden", "--accept"]).ends_with(3);
    assert!(
        sandbox.path("golden/two/00-namespaces.yaml").exists(),
        "one broken example does not hold up the others"
    );
    sandbox.write("examples/one.kdl", &small("one"));
    sandbox.run(&["golden", "three"]).ends_with(1);
}
