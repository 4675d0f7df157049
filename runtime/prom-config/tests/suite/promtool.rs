//! Asks `promtool` for its verdict.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::corpus::Content;

/// What `promtool` says about a text.
pub(crate) struct Verdict {
    pub(crate) loads: bool,
    pub(crate) output: String,
}

/// Has `promtool` check a text; it has to be installed.
pub(crate) fn verdict(folder: &Path, content: Content, text: &[u8]) -> Verdict {
    let path = folder.join("file.yml");
    fs::write(&path, text).unwrap();
    let mut command = Command::new("promtool");
    match content {
        Content::Config => command.args(["check", "config", "--syntax-only"]),
        Content::Rules => command.args(["check", "rules", "--lint=none"]),
    };
    let output = command
        .arg(&path)
        // Discovery in Amazon's cloud asks the machine for its region: there is none to be asked.
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .expect("promtool runs: install the package `prometheus`");
    let text = [output.stdout, output.stderr].concat();
    Verdict { loads: output.status.success(), output: String::from_utf8_lossy(&text).into_owned() }
}
