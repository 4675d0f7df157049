//! `processes.json`, made real: paths of this machine, programs that are installed, an order to start in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use compiler::pipeline::Artefact;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::programs::Programs;

mod arguments;
mod changes;

pub(super) use changes::{Change, changes};

/// The file of one cluster, as `render --target local` writes it.
#[derive(Debug, Deserialize)]
struct File {
    processes: Vec<Entry>,
    left_out: Vec<LeftOut>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    program: String,
    component: String,
    args: Vec<String>,
    #[serde(default)]
    init: Vec<String>,
    working_dir: String,
    environment: Vec<String>,
    ports: BTreeMap<String, u16>,
    ready_url: String,
    data_dir: String,
    after: Vec<String>,
}

/// Something of the topology that does not run here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::commands) struct LeftOut {
    pub(in crate::commands) what: String,
    pub(in crate::commands) why: String,
}

/// A process that will run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Spec {
    /// `NAME`, or `CLUSTER/NAME` when there are several clusters.
    pub(super) name: String,
    /// What it is: `prometheus`, `query`, …
    pub(super) component: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    /// Arguments of `pronoiad` that must end well before the first start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) init: Vec<String>,
    pub(super) working_dir: PathBuf,
    /// Names of variables that it reads; their values are inherited and never shown.
    pub(super) environment: Vec<String>,
    pub(super) ports: BTreeMap<String, u16>,
    pub(super) ready_url: String,
    pub(super) data_dir: PathBuf,
    pub(super) after: Vec<String>,
    /// Files that it reads once, at its start, and what is in them.
    #[serde(skip)]
    pub(super) reads: BTreeMap<String, String>,
    /// Files that it takes over while it runs, and what is in them.
    #[serde(skip)]
    pub(super) watches: BTreeMap<String, String>,
}

impl Spec {
    /// Where people look.
    pub(super) fn url(&self) -> &str {
        self.ready_url.strip_suffix("-/ready").unwrap_or(&self.ready_url)
    }
}

/// Everything that `up` does with one rendered tree.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Plan {
    /// Processes, in the order of their start.
    pub(super) processes: Vec<Spec>,
    /// Processes of the topology that cannot run here.
    pub(super) not_available: Vec<LeftOut>,
    /// What else stays away.
    pub(super) left_out: Vec<LeftOut>,
}

/// Folders that the placeholders stand for.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) config: PathBuf,
    pub(super) data: PathBuf,
    pub(super) secrets: PathBuf,
}

impl Plan {
    /// Makes the plan of a rendered tree.
    pub(super) fn new(
        artefacts: &[Artefact],
        folders: &Folders,
        programs: &Programs,
        only: &[String],
        variable_is_set: &dyn Fn(&str) -> bool,
    ) -> anyhow::Result<Plan> {
        let mut plan = Plan { processes: Vec::new(), not_available: Vec::new(), left_out: Vec::new() };
        let mut known = Vec::new();
        for artefact in artefacts {
            let Some(cluster) = artefact.path.strip_suffix("processes.json") else { continue };
            let file: File = serde_json::from_str(&artefact.text())
                .with_context(|| format!("the rendered `{}`", artefact.path))?;
            for left in file.left_out {
                plan.left_out.push(LeftOut { what: format!("{cluster}{}", left.what), why: left.why });
            }
            let chosen = chosen(&file.processes, cluster, only);
            for entry in file.processes {
                let name = format!("{cluster}{}", entry.name);
                known.push([name.clone(), entry.name.clone(), entry.component.clone()]);
                let why = match () {
                    () if !chosen.contains(&entry.name) => Some("left out by --only".to_string()),
                    () => reason(&entry, programs, variable_is_set)
                        .or_else(|| missing_secret(&entry, &cluster_folder(&folders.secrets, cluster))),
                };
                match why {
                    Some(why) => plan.not_available.push(LeftOut { what: name, why }),
                    None => plan.processes.push(spec(entry, cluster, artefacts, folders, programs)),
                }
            }
        }
        for name in only {
            if !known.iter().any(|names| names.contains(name)) {
                let names: Vec<&str> = known.iter().map(|[name, ..]| name.as_str()).collect();
                anyhow::bail!("--only {name}: no process of this name; there are {}", names.join(", "));
            }
        }
        let started: BTreeSet<String> = plan.processes.iter().map(|spec| spec.name.clone()).collect();
        for spec in &mut plan.processes {
            spec.after.retain(|name| started.contains(name));
        }
        plan.processes = in_order(plan.processes);
        Ok(plan)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Spec> {
        self.processes.iter().find(|spec| spec.name == name)
    }
}

/// Names of the processes that `--only` asks for; a reloader comes with the process that it serves.
fn chosen(entries: &[Entry], cluster: &str, only: &[String]) -> BTreeSet<String> {
    let asked = |entry: &&Entry| {
        let full = format!("{cluster}{}", entry.name);
        only.is_empty() || only.iter().any(|name| [&full, &entry.name, &entry.component].contains(&name))
    };
    let mut names: BTreeSet<String> = entries.iter().filter(asked).map(|entry| entry.name.clone()).collect();
    for entry in entries.iter().filter(|entry| entry.component == "reloader") {
        if entry.after.iter().any(|served| names.contains(served)) {
            names.insert(entry.name.clone());
        }
    }
    names
}

/// Why a process cannot run here.
fn reason(entry: &Entry, programs: &Programs, variable_is_set: &dyn Fn(&str) -> bool) -> Option<String> {
    // A router is a `receive` too.
    let command = entry.args.first().unwrap_or(&entry.component);
    if entry.program == "pronoiad" && !programs.has_component(command) {
        return Some(format!("this build of pronoiad has no `{command}`"));
    }
    let unset = entry.environment.iter().find(|name| !variable_is_set(name))?;
    Some(format!("it needs the environment variable {unset}"))
}

/// A secret in a file that the user has not put there.
fn missing_secret(entry: &Entry, secrets: &Path) -> Option<String> {
    let named = entry.args.iter().filter_map(|arg| arg.split_once("=$(CONFIG_DIR)/secrets/"));
    let path = named.map(|(_, path)| secrets.join(path)).find(|path| !path.exists())?;
    Some(format!("it needs the file `{}`", path.display()))
}

fn spec(entry: Entry, cluster: &str, artefacts: &[Artefact], folders: &Folders, programs: &Programs) -> Spec {
    let known = [("CONFIG_DIR", &folders.config), ("DATA_DIR", &folders.data)]
        .map(|(name, folder)| (name, cluster_folder(folder, cluster).display().to_string()));
    let put_in = |text: &str| arguments::expand(text, &known);
    let all = |words: &[String]| words.iter().map(|word| put_in(word)).collect::<Vec<String>>();
    let mut reads = BTreeMap::new();
    let mut watches = BTreeMap::new();
    for word in &entry.args {
        let (flag, value) = word.split_once('=').unwrap_or(("", word));
        let Some(path) = value.strip_prefix("$(CONFIG_DIR)/") else { continue };
        let live = flag.starts_with("--reloader.") || flag == "--rule-file";
        let files = if live { &mut watches } else { &mut reads };
        files.extend(digests(artefacts, &format!("{cluster}{path}")));
    }
    Spec {
        name: format!("{cluster}{}", entry.name),
        program: programs.path(&entry.program),
        args: all(&entry.args),
        init: all(&entry.init),
        working_dir: put_in(&entry.working_dir).into(),
        environment: entry.environment,
        ports: entry.ports,
        ready_url: entry.ready_url,
        data_dir: put_in(&entry.data_dir).into(),
        after: entry.after.iter().map(|name| format!("{cluster}{name}")).collect(),
        component: entry.component,
        reads,
        watches,
    }
}

/// What is in a file, in all files of a folder, or in those that `…/*.yml` means.
fn digests(artefacts: &[Artefact], path: &str) -> BTreeMap<String, String> {
    let folder = path.strip_suffix("*.yml").map_or_else(|| format!("{path}/"), String::from);
    let meant = |artefact: &&Artefact| artefact.path == path || artefact.path.starts_with(&folder);
    let digest = |artefact: &Artefact| format!("{:x}", Sha256::digest(artefact.text().as_bytes()));
    artefacts.iter().filter(meant).map(|artefact| (artefact.path.clone(), digest(artefact))).collect()
}

/// Everyone behind those that it waits for; otherwise as the plan has it.
fn in_order(mut waiting: Vec<Spec>) -> Vec<Spec> {
    let mut ordered: Vec<Spec> = Vec::new();
    while !waiting.is_empty() {
        let up = |name: &String| ordered.iter().any(|spec| spec.name == *name);
        // A circle cannot come from the renderer; broken anywhere, it still starts.
        let next = waiting.iter().position(|spec| spec.after.iter().all(up)).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}

/// The folder of a cluster below another one, from the name of one of its processes.
pub(super) fn cluster_folder(base: &Path, process: &str) -> PathBuf {
    process.rsplit_once('/').map_or_else(|| base.to_path_buf(), |(cluster, _)| base.join(cluster))
}

#[cfg(test)]
mod tests;
