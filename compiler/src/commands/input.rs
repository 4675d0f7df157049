//! Which topology, for which environments: the arguments that most commands share, and the run of the pipeline.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;
use compiler::pipeline::{self, Outcome, Request};
use compiler::source::{ReadError, Sources, World};
use compiler::topology::load;

use super::disk::{DiskWorld, read_limited};

/// Size of one template, in bytes.
const TEMPLATE_SIZE_BYTES_MAX: u64 = 1024 * 1024;
/// Topologies named in a "no such file" message.
const NEARBY_MAX: usize = 8;

/// The topology and how to look at it.
#[derive(Debug, clap::Args)]
pub(super) struct Input {
    /// The topology
    #[arg(default_value = "topology.kdl")]
    pub(super) file: String,
    #[command(flatten)]
    pub(super) view: View,
}

/// How to look at a topology.
#[derive(Debug, Default, Clone, clap::Args)]
pub(super) struct View {
    /// Apply this environment; may be repeated
    #[arg(long = "env", value_name = "ENV")]
    pub(super) envs: Vec<String>,
    /// Apply every environment that the topology declares, one after the other
    #[arg(long, conflicts_with = "envs")]
    pub(super) all_envs: bool,
    /// What to render for
    #[arg(long, value_enum, default_value_t)]
    pub(super) target: Target,
    /// Folder of templates that replace the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    pub(super) templates: Option<PathBuf>,
}

/// What to render for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// Manifests for a cluster
    #[default]
    Kubernetes,
    /// Plain files for processes on this machine
    Local,
}

/// One environment and what came of it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) env: Option<String>,
    pub(super) outcome: Outcome,
}

impl Input {
    /// Runs `step` for every environment asked for.
    pub(super) fn run(&self, step: fn(&dyn World, &Request) -> Outcome) -> anyhow::Result<Vec<Run>> {
        run(&self.file, &self.view, step)
    }
}

/// Runs `step` on one file for every environment asked for; without one, on the topology as it stands.
pub(super) fn run(
    file: &str,
    view: &View,
    step: fn(&dyn World, &Request) -> Outcome,
) -> anyhow::Result<Vec<Run>> {
    let world = DiskWorld::default();
    must_exist(&world, file)?;
    let templates = view.templates.as_deref().map_or_else(|| Ok(BTreeMap::new()), templates)?;
    let envs: Vec<Option<String>> = if view.all_envs {
        let envs = environments(&world, file);
        if envs.is_empty() {
            bail!("`{file}` declares no environment; leave `--all-envs` out");
        }
        envs.into_iter().map(Some).collect()
    } else if view.envs.is_empty() {
        vec![None]
    } else {
        view.envs.iter().cloned().map(Some).collect()
    };
    let target = match view.target {
        Target::Kubernetes => pipeline::Target::Kubernetes,
        Target::Local => pipeline::Target::Local,
    };
    Ok(envs
        .into_iter()
        .map(|env| {
            let request = Request {
                path: file.to_string(),
                env: env.clone(),
                target,
                templates: templates.clone(),
                ..Request::default()
            };
            Run { env, outcome: step(&world, &request) }
        })
        .collect())
}

/// Names of the environments that a topology declares, includes and all, in the order of the file.
pub(super) fn environments(world: &dyn World, file: &str) -> Vec<String> {
    let loaded = load::load(world, file, None, &mut Sources::default(), &mut Vec::new());
    let mut names = Vec::new();
    for name in loaded.environments {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Fails with the paths that could have been meant.
pub(super) fn must_exist(world: &dyn World, file: &str) -> anyhow::Result<()> {
    match world.read(file) {
        Ok(_) => Ok(()),
        Err(error @ ReadError::TooLarge { .. }) => Err(anyhow!("`{file}`: {error}")),
        Err(error) => {
            let folder = if Path::new(file).is_dir() {
                format!("{}/", file.trim_end_matches('/'))
            } else {
                file.rfind('/').map_or(String::new(), |cut| file[..=cut].to_string())
            };
            let mut near = Vec::new();
            for pattern in [format!("{folder}*.kdl"), format!("{folder}*/*.kdl"), "*.kdl".to_string()] {
                for path in world.glob(&pattern).unwrap_or_default() {
                    if near.len() < NEARBY_MAX && !near.contains(&path) {
                        near.push(path);
                    }
                }
            }
            let hint = if near.is_empty() {
                "there is no .kdl file nearby; `pronoia init` writes one".to_string()
            } else {
                format!("nearby: {}", near.join(", "))
            };
            Err(anyhow!("`{file}`: {error}\n  {hint}"))
        }
    }
}

fn templates(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut templates = BTreeMap::new();
    let entries = fs::read_dir(folder).with_context(|| format!("templates in `{}`", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("templates in `{}`", folder.display()))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !name.starts_with('.') && path.is_file()) else { continue };
        let bytes =
            read_limited(&path, TEMPLATE_SIZE_BYTES_MAX).with_context(|| format!("`{}`", path.display()))?;
        let text = String::from_utf8(bytes).with_context(|| format!("`{}`", path.display()))?;
        templates.insert(name.to_string(), text);
    }
    if templates.is_empty() {
        bail!("no template in `{}`", folder.display());
    }
    Ok(templates)
}
