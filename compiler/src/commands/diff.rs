//! `pronoia diff`: two topologies, two environments or two rendered folders, compared by meaning.

use std::path::Path;

use anyhow::bail;
use clap::ValueEnum;
use compiler::diff::{self, Files};
use compiler::pipeline;

use super::Exit;
use super::console::Console;
use super::findings::stop_on_errors;
use super::input::{self, Target, View};
use super::tree;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A topology or a rendered folder
    a: String,
    /// Another one; not needed with two --env
    b: Option<String>,
    /// Apply this environment; two of them compare the environments of one topology
    #[arg(long = "env", value_name = "ENV")]
    envs: Vec<String>,
    /// What to render for
    #[arg(long, value_enum, default_value_t)]
    target: Target,
    /// How differences are written
    #[arg(long, value_enum, default_value_t)]
    format: DiffFormat,
    /// Also compare what follows from the manifests: raw/, provenance, report and lock file
    #[arg(long)]
    all: bool,
    /// Exit with 0 even if there are differences
    #[arg(long)]
    exit_zero: bool,
}

/// Format of differences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    /// Grouped by object
    #[default]
    Human,
    /// One JSON object per line
    Json,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let env = |at: usize| args.envs.get(at).map(String::as_str);
    let sides = match (&args.b, args.envs.len()) {
        (Some(b), 0 | 1) => [(args.a.as_str(), env(0)), (b.as_str(), env(0))],
        (Some(b), 2) => [(args.a.as_str(), env(0)), (b.as_str(), env(1))],
        (None, 2) => [(args.a.as_str(), env(0)), (args.a.as_str(), env(1))],
        (None, _) => {
            bail!("compare with what? name a second topology or folder, or two environments with --env")
        }
        (Some(_), _) => bail!("two sides have at most two environments"),
    };
    let mut trees = Vec::new();
    for (path, env) in sides {
        match side(console, args, path, env)? {
            Ok(files) => trees.push(files),
            Err(exit) => return Ok(exit),
        }
    }
    let [before, after] = trees.as_slice() else { bail!("two sides are needed") };
    let changes = diff::compare(before, after);
    let text = match args.format {
        DiffFormat::Human => diff::human(&changes, console.color_out()),
        DiffFormat::Json => diff::json(&changes),
    };
    console.out(&text)?;
    Ok(if changes.is_empty() || args.exit_zero { Exit::Ok } else { Exit::Differences })
}

fn side(
    console: &Console,
    args: &Args,
    path: &str,
    env: Option<&str>,
) -> anyhow::Result<Result<Files, Exit>> {
    let mut files = if Path::new(path).is_dir() {
        tree::read(Path::new(path))?
    } else {
        let view = View {
            envs: env.map(str::to_string).into_iter().collect(),
            target: args.target,
            ..View::default()
        };
        let mut runs = input::run(path, &view, pipeline::render)?;
        if let Some(exit) = stop_on_errors(console, &mut runs)? {
            return Ok(Err(exit));
        }
        runs.first().map(|run| tree::in_memory(&run.outcome.artefacts)).unwrap_or_default()
    };
    if !args.all {
        files.retain(|path, _| !follows(path));
    }
    Ok(Ok(files))
}

/// Whether a file only repeats what the manifests say.
fn follows(path: &str) -> bool {
    let mut folders: Vec<&str> = path.split('/').collect();
    let name = folders.pop().unwrap_or("");
    folders.contains(&"raw") || ["provenance.json", "report.json", tree::LOCK].contains(&name)
}
