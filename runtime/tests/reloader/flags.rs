//! Its command line: what is wrong is said, with the flag's name.

use std::process::{Command, Output};

fn reloader(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pronoiad")).arg("reloader").args(arguments).output().unwrap()
}

#[test]
fn help_names_every_flag_of_the_original() {
    let help = String::from_utf8(reloader(&["--help"]).stdout).unwrap();
    for flag in [
        "--log.level",
        "--log.format",
        "--http-address",
        "--http-grace-period",
        "--prometheus.url",
        "--prometheus.http-client",
        "--prometheus.http-client-file",
        "--reloader.config-file",
        "--reloader.config-envsubst-file",
        "--reloader.rule-dir",
        "--reloader.watch-interval",
        "--reloader.retry-interval",
        "--reloader.method",
        "--reloader.process-name",
    ] {
        assert!(help.contains(&format!("{flag} <")), "{flag}\n{help}");
    }
}

#[test]
fn mistakes_end_the_command_before_anything_runs() {
    for (arguments, code, says) in [
        (vec!["--reloader.config-fil=x"], 2, "--reloader.config-file"),
        (vec!["--reloader.watch-interval=3"], 2, "`3` is no duration"),
        (vec!["--reloader.method=smoke"], 2, "[possible values: http, signal]"),
        (vec!["--reloader.config-envsubst-file=a"], 1, "needs --reloader.config-file"),
        (
            vec!["--reloader.config-file=a", "--reloader.config-envsubst-file=a"],
            1,
            "input and output at once",
        ),
        (
            vec!["--reloader.rule-dir=a", "--reloader.rule-dir=b", "--reloader.rule-output-dir=c"],
            1,
            "belong together",
        ),
        (vec!["--reloader.config-dir=a"], 1, "has no --reloader.config-envsubst-dir"),
        (vec!["--prometheus.url=localhost:9090"], 1, "write it with its scheme"),
        (vec!["--prometheus.http-client=basic_aut: {}"], 1, "basic_aut"),
        (vec!["--prometheus.http-client=a", "--prometheus.http-client-file=b"], 2, "cannot be used with"),
        (vec!["--http-address=nowhere"], 1, "write HOST:PORT"),
        (vec!["--once", "--reloader.compat"], 2, "cannot be used with"),
        (vec!["stray"], 2, "stray"),
    ] {
        let output = reloader(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}
