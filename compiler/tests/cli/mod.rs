//! The command as a user runs it: exit codes, streams, files.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

mod check;
mod diff;
mod fmt;
mod golden;
mod other;
mod promql;
mod queries;
mod render;
mod rules;
mod up;

/// A folder to work in and the command to run there.
struct Sandbox {
    folder: tempfile::TempDir,
}

/// What one run left behind.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox { folder: tempfile::tempdir().expect("temporary folder") }
    }

    /// A sandbox with `topology.kdl`.
    fn with_topology(text: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.write("topology.kdl", text);
        sandbox
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, text).expect("file");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("file")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pronoia"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("NO_COLOR").env_remove("COLUMNS");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).stdin(Stdio::null()).output().expect("runs"))
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("runs");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("takes input");
        Ran::from(child.wait_with_output().expect("ends"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Ran {
    /// The run, if it ended with this code.
    #[track_caller]
    fn ends_with(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// A topology of one component, valid and quick.
fn small(name: &str) -> String {
    format!(
        "topology {name} namespace={name}-ns {{\n    target kubernetes=\"1.33\" prometheus=\"3.5.0\" thanos=\"0.42.4\"\n    \
         prometheus replicas=2 retention=\"24h\" disk=\"10Gi\" {{\n        identity cluster={name}\n        scrape self\n    }}\n}}\n"
    )
}

/// Not KDL: a block is left open.
const BROKEN: &str = "topology x {\n    prometheus replicas=2\n";
