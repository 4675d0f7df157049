//! `check` and what all commands share: exit codes, formats, colours, paths.

use super::*;

#[test]
fn exit_codes() {
    let sandbox = Sandbox::with_topology(&small("a"));
    sandbox.write("broken.kdl", BROKEN);
    sandbox.run(&["check", "topology.kdl"]).ends_with(0);
    sandbox.run(&["check", "broken.kdl"]).ends_with(3);
    sandbox.run(&["check", "broken.kdl", "--exit-zero"]).ends_with(0);
    sandbox.run(&["check", "missing.kdl"]).ends_with(1);
    sandbox.run(&["check", "--no-such-flag"]).ends_with(1);
    sandbox.run(&["--version"]).ends_with(0);
    sandbox.run(&["help", "render"]).ends_with(0);
    sandbox.run(&[]).ends_with(1);
}

#[test]
fn findings_below_the_deny_level_do_not_fail() {
    let text = small("a").replacen("topology", "var UNUSED default=x\ntopology", 1);
    let sandbox = Sandbox::with_topology(&text);
    let lowest = sandbox.run(&["check", "--format", "json"]).ends_with(0);
    assert!(lowest.out.contains("\"severity\":\"info\""), "{lowest:?}");
    sandbox.run(&["check", "--deny", "info"]).ends_with(3);
    sandbox.run(&["check", "--deny", "error"]).ends_with(0);
}

#[test]
fn a_file_alone_is_checked() {
    let sandbox = Sandbox::with_topology(&small("a"));
    sandbox.write("broken.kdl", BROKEN);
    sandbox.run(&["topology.kdl"]).ends_with(0);
    let ran = sandbox.run(&["--color", "never", "broken.kdl", "--format=short"]).ends_with(3);
    assert!(ran.out.starts_with("broken.kdl:1:12: error[KDL001]: "), "{ran:?}");
}

#[test]
fn a_wrong_command_is_corrected() {
    let ran = Sandbox::new().run(&["chekc"]).ends_with(1);
    assert!(ran.err.contains("'check'"), "{ran:?}");
}

#[test]
fn a_missing_file_names_those_nearby() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["check"]).ends_with(1);
    assert!(ran.err.contains("`topology.kdl`: no such file") && ran.err.contains("pronoia init"), "{ran:?}");
    sandbox.write("prod/eu.kdl", &small("a"));
    let ran = sandbox.run(&["check"]).ends_with(1);
    assert!(ran.err.contains("nearby: prod/eu.kdl"), "{ran:?}");
    let ran = sandbox.run(&["check", "prod"]).ends_with(1);
    assert!(ran.err.contains("is a folder") && ran.err.contains("prod/eu.kdl"), "{ran:?}");
}

#[test]
fn every_format_reports_the_finding() {
    let sandbox = Sandbox::with_topology(BROKEN);
    for (format, start) in [
        ("human", "error[KDL001]\n"),
        ("short", "topology.kdl:1:12: error[KDL001]: "),
        ("json", "{\"code\":\"KDL001\",\"severity\":\"error\","),
        ("sarif", "{\n"),
        ("github", "::error file=topology.kdl,line=1,"),
        ("checkstyle", "<?xml"),
        ("junit", "<?xml"),
        ("md", "**1 error**\n"),
    ] {
        let ran = sandbox.run(&["check", "--format", format]).ends_with(3);
        assert!(ran.out.starts_with(start) && ran.out.contains("KDL001"), "{format}: {ran:?}");
    }
}

#[test]
fn colour_follows_the_flag_and_no_color() {
    let sandbox = Sandbox::with_topology(BROKEN);
    assert!(sandbox.run(&["check", "--color", "always"]).out.contains('\u{1b}'));
    assert!(!sandbox.run(&["check"]).out.contains('\u{1b}'), "stdout is no terminal here");
    let ran =
        Ran::from(sandbox.command(&["--color=always", "check"]).env("NO_COLOR", "1").output().expect("runs"));
    assert!(ran.out.contains('\u{1b}'), "an explicit flag beats the environment");
}

#[test]
fn quiet_says_nothing_when_all_is_well() {
    let sandbox = Sandbox::with_topology(&small("a"));
    let loud = sandbox.run(&["check"]).ends_with(0);
    assert_eq!(loud.err, "topology.kdl: no findings\n");
    let quiet = sandbox.run(&["check", "--quiet"]).ends_with(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
}

#[test]
fn environments_are_checked_one_by_one_or_all() {
    let text = small("a").replacen(
        "    prometheus",
        "    env dev {\n        prometheus replicas=1\n    }\n    prometheus",
        1,
    );
    let sandbox = Sandbox::with_topology(&text);
    sandbox.run(&["check", "--env", "dev"]).ends_with(0);
    sandbox.run(&["check", "--all-envs"]).ends_with(0);
    let ran = sandbox.run(&["check", "--env", "deb"]).ends_with(3);
    assert!(ran.out.contains("did you mean `dev`?"), "{ran:?}");
    sandbox.write("plain.kdl", &small("a"));
    sandbox.run(&["check", "plain.kdl", "--all-envs"]).ends_with(1);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_does_not_block() {
    let sandbox = Sandbox::new();
    let made = Command::new("mkfifo").arg(sandbox.path("topology.kdl")).status().expect("mkfifo runs");
    assert!(made.success());
    let ran = sandbox.run(&["check"]).ends_with(1);
    assert!(ran.err.contains("is not a regular file"), "{ran:?}");
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let sandbox = Sandbox::with_topology(&" ".repeat(5 * 1024 * 1024));
    let ran = sandbox.run(&["check"]).ends_with(1);
    assert!(ran.err.contains("the limit is"), "{ran:?}");
}

#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is() {
    let sandbox = Sandbox::with_topology(&small("a"));
    let mut child = sandbox
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().expect("ends")).ends_with(0);
    assert_eq!(ran.err, "");
    if let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") {
        let output = sandbox.command(&["completions", "bash"]).stdout(full).output().expect("runs");
        Ran::from(output).ends_with(1);
    }
}
