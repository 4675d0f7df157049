//! `pronoia render`: the tree, on disk or on stdout, or compared with what is on disk.

use std::path::{Path, PathBuf};

use anyhow::bail;
use compiler::diagnostic::has_errors;
use compiler::diff;
use compiler::pipeline::{self, Artefact};
use compiler::source::glob_matcher;

use super::Exit;
use super::console::Console;
use super::findings::{FindingsArgs, Stream, merged};
use super::input::{Input, Run};
use super::tree::{self, Stale};

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("to").required(true).args(["output", "stdout", "check"])))]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Write the tree into this folder; several environments get a folder each below it
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Print the manifests as one stream for `kubectl apply -f -`
    #[arg(long)]
    stdout: bool,
    /// Write nothing; compare with this folder and fail on differences
    #[arg(long, value_name = "DIR")]
    check: Option<PathBuf>,
    /// Only files that match: a path below the output folder, or a file name
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
    /// Write into a folder that pronoia did not write
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    findings: FindingsArgs,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let mut runs = args.input.run(pipeline::render)?;
    let (sources, diagnostics) = merged(&mut runs);
    // With --stdout and --check, stdout carries the result.
    let stream = if args.output.is_some() { Stream::Out } else { Stream::Err };
    args.findings.print(console, stream, &diagnostics, &sources)?;
    if args.findings.denied(&diagnostics) || has_errors(&diagnostics) {
        console.note("nothing rendered");
        return Ok(args.findings.exit(&diagnostics));
    }
    if let Some(pattern) = &args.only {
        keep_only(&mut runs, pattern)?;
    }
    if let Some(folder) = &args.output {
        return write(console, args, folder, &runs);
    }
    match &args.check {
        Some(folder) => check(console, args, folder, &runs),
        None => {
            console.out(&stream_of(&runs, args.only.is_some()))?;
            Ok(Exit::Ok)
        }
    }
}

/// The folder of one run: the folder itself, or one folder per environment below it.
fn folder_of(args: &Args, folder: &Path, run: &Run, runs: &[Run]) -> PathBuf {
    match &run.env {
        Some(env) if runs.len() > 1 || args.input.view.all_envs => folder.join(env),
        _ => folder.to_path_buf(),
    }
}

fn write(console: &Console, args: &Args, folder: &Path, runs: &[Run]) -> anyhow::Result<Exit> {
    let stale = if args.only.is_some() { Stale::Keep } else { Stale::Listed };
    for run in runs {
        let folder = folder_of(args, folder, run, runs);
        let written = tree::write(&folder, &run.outcome.artefacts, stale, args.force)?;
        console.note(&format!(
            "{}: {} files, {} written, {} removed",
            folder.display(),
            written.files,
            written.changed,
            written.removed
        ));
    }
    Ok(Exit::Ok)
}

fn check(console: &Console, args: &Args, folder: &Path, runs: &[Run]) -> anyhow::Result<Exit> {
    let mut exit = Exit::Ok;
    for run in runs {
        let folder = folder_of(args, folder, run, runs);
        let fresh = tree::in_memory(&run.outcome.artefacts);
        let mut golden = if folder.is_dir() { tree::read(&folder)? } else { diff::Files::new() };
        golden.retain(|path, _| fresh.contains_key(path) || (args.only.is_none() && path != tree::LOCK));
        let text = diff::unified(&golden, &fresh);
        if !text.is_empty() {
            exit = Exit::Differences;
            console.out(&text)?;
            console.note(&format!("{} differs; `pronoia render -o` writes it anew", folder.display()));
        }
    }
    Ok(exit)
}

fn keep_only(runs: &mut [Run], pattern: &str) -> anyhow::Result<()> {
    let matcher = glob_matcher(pattern).map_err(|error| anyhow::anyhow!("--only {pattern}: {error}"))?;
    let mut kept = 0;
    for run in &mut *runs {
        run.outcome.artefacts.retain(|artefact| {
            let name = artefact.path.rsplit('/').next().unwrap_or(&artefact.path);
            matcher.is_match(&artefact.path) || matcher.is_match(name)
        });
        kept += run.outcome.artefacts.len();
    }
    if kept == 0 {
        bail!("--only {pattern}: no rendered file matches");
    }
    Ok(())
}

/// One YAML stream; a single file chosen by `--only` comes as it is.
fn stream_of(runs: &[Run], chosen: bool) -> String {
    let artefacts: Vec<&Artefact> = runs
        .iter()
        .flat_map(|run| &run.outcome.artefacts)
        .filter(|artefact| chosen || is_manifest(&artefact.path))
        .collect();
    if let [one] = artefacts.as_slice()
        && chosen
    {
        return one.text().into_owned();
    }
    let mut out = String::new();
    for artefact in artefacts {
        let text = artefact.text();
        out.push_str(&format!("---\n# {}\n", artefact.path));
        out.push_str(text.strip_prefix("---\n").unwrap_or(&text));
        if !text.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

/// Whether a file is for `kubectl apply`.
fn is_manifest(path: &str) -> bool {
    let mut folders: Vec<&str> = path.split('/').collect();
    let name = folders.pop().unwrap_or("");
    (name.ends_with(".yaml") || name.ends_with(".yml"))
        && name != "kustomization.yaml"
        && !folders.iter().any(|folder| ["raw", "policies"].contains(folder))
}
