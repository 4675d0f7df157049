//! The small commands.

use super::*;

#[test]
fn starters_are_formatted_and_free_of_errors() {
    let sandbox = Sandbox::new();
    for arguments in [vec!["init"], vec!["init", "--from-tutorial", "tutorial.kdl"]] {
        sandbox.run(&arguments).ends_with(0);
        let file = arguments.last().filter(|file| file.ends_with(".kdl")).copied().unwrap_or("topology.kdl");
        sandbox.run(&["fmt", "--check", file]).ends_with(0);
        sandbox.run(&["check", file]).ends_with(0);
    }
    sandbox.write("topology.kdl", "mine");
    let ran = sandbox.run(&["init"]).ends_with(1);
    assert!(ran.err.contains("is there already"), "{ran:?}");
    assert_eq!(sandbox.read("topology.kdl"), "mine");
}

#[test]
fn why_names_the_origin() {
    let sandbox = Sandbox::with_topology(&small("a"));
    let ran = sandbox.run(&["why", "Namespace/a-ns", "metadata.name"]).ends_with(0);
    assert!(ran.out.starts_with("Namespace/a-ns metadata.name = \"a-ns\"\n    "), "{ran:?}");
    let ran = sandbox.run(&["why", "Namespace/a-nz"]).ends_with(1);
    assert!(ran.err.contains("did you mean `Namespace/a-ns`?"), "{ran:?}");
}

#[test]
fn graph_has_three_shapes() {
    let sandbox = Sandbox::with_topology(&small("a"));
    assert!(sandbox.run(&["graph"]).ends_with(0).out.starts_with("FROM "));
    assert!(sandbox.run(&["graph", "--mermaid"]).ends_with(0).out.starts_with("flowchart LR\n"));
    assert!(sandbox.run(&["graph", "--dot"]).ends_with(0).out.starts_with("digraph topology {\n"));
    sandbox.run(&["graph", "--dot", "--mermaid"]).ends_with(1);
}

#[test]
fn explain_and_list_checks() {
    let sandbox = Sandbox::new();
    assert!(sandbox.run(&["explain", "kdl001"]).ends_with(0).out.starts_with("# KDL001 error: "));
    assert!(sandbox.run(&["explain", "NOPE"]).ends_with(1).err.contains("there is no page on `NOPE`"));
    assert!(
        sandbox.run(&["list-checks"]).ends_with(0).out.contains("KDL001   error    the file is not KDL\n")
    );
    let json = sandbox.run(&["list-checks", "--json"]).ends_with(0);
    assert!(
        json.out.contains("{\"code\":\"KDL001\",\"severity\":\"error\",\"title\":\"the file is not KDL\"}\n"),
        "{json:?}"
    );
}

#[test]
fn completions_and_manual_pages() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(sandbox.run(&["completions", shell]).ends_with(0).out.contains("pronoia"));
    }
    assert!(sandbox.run(&["man"]).ends_with(0).out.contains(".TH pronoia"));
    sandbox.run(&["man", "pages"]).ends_with(0);
    assert!(sandbox.path("pages/pronoia-render.1").exists());
}
