//! promtool and amtool as a second opinion, where they are installed.
#![expect(clippy::disallowed_methods, reason = "promtool is a program")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use prom_config::Version;
use tokio::process::Command;
use tokio::time::timeout;

use crate::finding::{Finding, Reason};
use crate::settings::{Promtool, TargetKind};

/// One run may take this long.
const RUN_MAX: Duration = Duration::from_secs(60);
/// What is shown of its words.
const SHOWN_MAX: usize = 2_000;

/// A tool that may judge.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    program: PathBuf,
    kind: TargetKind,
}

impl Tool {
    /// The tool that the settings allow: one that was named, or one on the path that has the version of the process.
    ///
    /// A tool of another version would refuse what the process knows, or the reverse.
    pub(crate) async fn find(choice: &Promtool, kind: TargetKind, version: Option<Version>) -> Option<Self> {
        let (program, wanted) = match choice {
            Promtool::Off => return None,
            Promtool::Path(path) => return Some(Self { program: path.clone(), kind }),
            Promtool::Auto => match kind {
                TargetKind::Prometheus => ("promtool", version?),
                TargetKind::Alertmanager => ("amtool", version?),
            },
        };
        let tool = Self { program: program.into(), kind };
        let said = tool.run([OsStr::new("--version")]).await.ok()?.1;
        let own = said.split_whitespace().skip_while(|word| *word != "version").nth(1)?;
        (own.parse::<Version>().ok()? == wanted).then_some(tool)
    }

    /// Judges files that lie beside the live ones; `name` says for each what it is to the user.
    pub(crate) async fn check(
        &self,
        config: Option<&Path>,
        rules: &[PathBuf],
        name: impl Fn(&Path) -> String,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(path) = config {
            let arguments: Vec<&OsStr> = match self.kind {
                TargetKind::Prometheus => {
                    vec!["check".as_ref(), "config".as_ref(), "--syntax-only".as_ref(), path.as_ref()]
                }
                TargetKind::Alertmanager => vec!["check-config".as_ref(), path.as_ref()],
            };
            findings.extend(self.judge(arguments, &name(path), path).await);
        }
        for folder in rules {
            let files = rule_files(folder);
            // The command line has an end.
            for some in files.chunks(500) {
                let arguments = [OsStr::new("check"), OsStr::new("rules")]
                    .into_iter()
                    .chain(some.iter().map(AsRef::as_ref));
                findings.extend(self.judge(arguments, &name(folder), folder).await);
            }
        }
        findings
    }

    async fn judge<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a OsStr>,
        name: &str,
        path: &Path,
    ) -> Option<Finding> {
        let program = self.program.display();
        match self.run(arguments).await {
            Ok((true, _)) => None,
            Ok((false, said)) => {
                let said = said.replace(&path.display().to_string(), name);
                let said: Vec<&str> = said
                    .lines()
                    .map(str::trim)
                    .filter(|line| line.contains("FAILED") || !line.starts_with("Checking"))
                    .collect();
                let mut said = said.join(" ");
                said.truncate(said.floor_char_boundary(SHOWN_MAX));
                Some(Finding::of_file(
                    Reason::Tool,
                    name,
                    format!("{program} does not accept it: {}", said.trim()),
                ))
            }
            Err(error) => {
                Some(Finding::of_file(Reason::Tool, name, format!("{program} cannot be run: {error}")))
            }
        }
    }

    /// Runs it; whether it was content, and what it said.
    async fn run<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<(bool, String), String> {
        let running =
            Command::new(&self.program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
        let output = match timeout(RUN_MAX, running).await {
            Ok(output) => output.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("it takes longer than {} s", RUN_MAX.as_secs())),
        };
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }
}

fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}
