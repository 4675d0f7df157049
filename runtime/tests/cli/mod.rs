//! The command line before any component runs.

use std::process::{Command, Output};

fn pronoiad(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pronoiad")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn version_and_help_go_to_standard_output() {
    let version = pronoiad(&["--version"]);
    assert!(version.status.success());
    assert_eq!(text(&version.stdout), format!("pronoiad {}\n", env!("CARGO_PKG_VERSION")));
    let help = pronoiad(&["--help"]);
    assert!(help.status.success() && help.stderr.is_empty());
    let help = text(&help.stdout);
    assert!(help.contains("Usage: pronoiad <COMPONENT> [FLAGS]"), "{help}");
    assert!(
        help.contains("Components in this build: compact, query, reloader, sidecar, store, tools"),
        "{help}"
    );
}

#[test]
fn without_a_component_the_help_says_what_is_missing() {
    let output = pronoiad(&[]);
    assert_eq!(output.status.code(), Some(2));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("Usage:") && errors.trim_end().ends_with("error: no component given"),
        "{errors}"
    );
}

#[test]
fn an_unknown_component_is_a_usage_error_that_lists_what_there_is() {
    for (name, want) in [
        ("quary", "error: unknown component `quary`\ndid you mean `query`?\n"),
        ("receive", "error: unknown component `receive`\n`receive` is planned, but not part of this build\n"),
        ("zebra", "error: unknown component `zebra`\n"),
    ] {
        let output = pronoiad(&[name, "--http-address=127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert_eq!(
            text(&output.stderr),
            format!("{want}Components in this build: compact, query, reloader, sidecar, store, tools\n")
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_link_named_after_a_component_is_that_component() {
    let folder = tempfile::tempdir().unwrap();
    for (link, component) in [("pronoia-store", "store"), ("pronoia-querier", "query")] {
        let path = folder.path().join(link);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pronoiad"), &path).unwrap();
        let of = |program: &std::path::Path, arguments: &[&str]| {
            Command::new(program).args(arguments).output().unwrap()
        };
        let (short, long) = (of(&path, &["--help"]), pronoiad(&[component, "--help"]));
        assert!(
            short.status.success()
                && text(&short.stdout).contains("--objstore.config") == (component == "store")
        );
        assert_eq!(text(&short.stdout), text(&long.stdout), "{link}");
    }
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let output = pronoiad(&["--nope"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--nope"));
}
