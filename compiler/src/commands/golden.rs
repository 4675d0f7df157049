//! `pronoia golden`: what every example renders to, kept under review.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use compiler::diff::{self, Files};
use compiler::pipeline::{self, Artefact};

use super::Exit;
use super::console::Console;
use super::disk::DiskWorld;
use super::findings::stop_on_errors;
use super::input::{self, View};
use super::tree::{self, Stale};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print differences and fail on them (the default)
    #[arg(long, conflicts_with = "accept")]
    check: bool,
    /// Rewrite the golden trees
    #[arg(long)]
    accept: bool,
    /// Folder of the topologies
    #[arg(long, value_name = "DIR", default_value = "examples")]
    examples: String,
    /// Folder of the golden trees
    #[arg(long, value_name = "DIR", default_value = "golden")]
    golden: PathBuf,
    /// Only these golden folders, by name or path
    #[arg(value_name = "DIR")]
    only: Vec<String>,
}

/// What one folder below `golden/` should hold.
type Trees = BTreeMap<String, Vec<Artefact>>;

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let folder = args.examples.trim_end_matches('/');
    let files = examples(folder)?;
    let wanted: BTreeSet<&str> =
        args.only.iter().map(|name| name.trim_end_matches('/').rsplit('/').next().unwrap_or(name)).collect();
    let mut trees = Trees::new();
    let mut findings = false;
    for (name, file) in files {
        if !wanted.is_empty()
            && !wanted.iter().any(|wanted| *wanted == name || wanted.starts_with(&format!("{name}.")))
        {
            continue;
        }
        let view = View::default();
        let envs = input::environments(&DiskWorld::default(), &file);
        let overlays = View { envs, ..View::default() };
        let mut runs = input::run(&file, &view, pipeline::render)?;
        if !overlays.envs.is_empty() {
            runs.extend(input::run(&file, &overlays, pipeline::render)?);
        }
        if stop_on_errors(console, &mut runs)?.is_some() {
            findings = true;
            continue;
        }
        for run in runs {
            let name = run.env.map_or_else(|| name.clone(), |env| format!("{name}.{env}"));
            if wanted.is_empty()
                || wanted.contains(name.as_str())
                || wanted.iter().any(|wanted| name.starts_with(&format!("{wanted}.")))
            {
                trees.insert(name, run.outcome.artefacts);
            }
        }
    }
    if trees.is_empty() && !wanted.is_empty() && !findings {
        bail!("no example in `{folder}` is called {}", wanted.into_iter().collect::<Vec<_>>().join(", "));
    }
    // While an example is broken, nobody knows which trees it has.
    let orphans = if wanted.is_empty() && !findings { orphans(&args.golden, &trees)? } else { Vec::new() };
    let exit = if args.accept {
        accept(console, args, &trees, &orphans)?
    } else {
        check(console, args, &trees, &orphans)?
    };
    Ok(if findings { Exit::Findings } else { exit })
}

/// Name and path of every example.
fn examples(folder: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("examples in `{folder}`"))? {
        let entry = entry.with_context(|| format!("examples in `{folder}`"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".kdl")
            && entry.path().is_file()
        {
            files.push((stem.to_string(), format!("{folder}/{name}")));
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("no .kdl file in `{folder}`");
    }
    Ok(files)
}

/// Golden trees whose example is gone; only folders that carry a lock file count as trees.
fn orphans(golden: &Path, trees: &Trees) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    if golden.is_dir() {
        for entry in fs::read_dir(golden).with_context(|| format!("`{}`", golden.display()))? {
            let entry = entry.with_context(|| format!("`{}`", golden.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().join(tree::LOCK).is_file() && !trees.contains_key(&name) {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

fn check(console: &Console, args: &Args, trees: &Trees, orphans: &[String]) -> anyhow::Result<Exit> {
    let mut different = 0;
    for (name, artefacts) in trees {
        let folder = args.golden.join(name);
        let golden = prefixed(name, if folder.is_dir() { tree::read(&folder)? } else { Files::new() });
        let text = diff::unified(&golden, &prefixed(name, tree::in_memory(artefacts)));
        if !text.is_empty() {
            different += 1;
            console.out(&text)?;
        }
    }
    for name in orphans {
        different += 1;
        console.note(&format!("{}: no example renders this tree", args.golden.join(name).display()));
    }
    if different == 0 {
        console.note(&format!("{} golden trees are up to date", trees.len()));
        return Ok(Exit::Ok);
    }
    console.note(&format!(
        "{different} of {} golden trees differ; `pronoia golden --accept` rewrites them",
        trees.len()
    ));
    Ok(Exit::Differences)
}

fn accept(console: &Console, args: &Args, trees: &Trees, orphans: &[String]) -> anyhow::Result<Exit> {
    let empty = Vec::new();
    let gone = orphans.iter().map(|name| (name, &empty));
    for (name, artefacts) in trees.iter().chain(gone) {
        let folder = args.golden.join(name);
        let written = tree::write(&folder, artefacts, Stale::All, false)?;
        if artefacts.is_empty() {
            // Empty by now, unless somebody keeps hidden files there.
            let _ = fs::remove_file(folder.join(tree::LOCK));
            let _ = fs::remove_dir(&folder);
        }
        if written.changed + written.removed > 0 {
            console.note(&format!(
                "{}: {} written, {} removed",
                folder.display(),
                written.changed,
                written.removed
            ));
        }
    }
    Ok(Exit::Ok)
}

/// Paths with the tree's name in front, so that a diff tells the trees apart.
fn prefixed(name: &str, files: Files) -> Files {
    files.into_iter().map(|(path, text)| (format!("{name}/{path}"), text)).collect()
}
