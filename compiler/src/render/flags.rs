//! Command lines: only flags that the chosen version has, the user's own last.

use crate::facts::{FlagStatus, Program, Version, flag_status};
use crate::model::Cluster;
use crate::topology::tree::Scalar;

/// A command line under construction.
#[derive(Debug)]
pub struct Flags {
    program: Program,
    version: Version,
    list: Vec<String>,
}

impl Flags {
    /// An empty command line of a program in a version.
    pub fn new(program: Program, version: Version) -> Flags {
        Flags { program, version, list: Vec::new() }
    }

    /// Whether the version has this flag.
    pub fn has(&self, flag: &str) -> bool {
        matches!(
            flag_status(&self.program, self.version, flag),
            FlagStatus::Known | FlagStatus::Deprecated { .. }
        )
    }

    /// Adds a word that is no flag: the subcommand.
    pub fn word(&mut self, word: &str) -> &mut Self {
        self.list.push(word.to_string());
        self
    }

    /// Adds `--flag=value`, if the version has the flag.
    pub fn flag(&mut self, flag: &str, value: impl std::fmt::Display) -> &mut Self {
        if self.has(flag) {
            self.list.push(format!("{flag}={value}"));
        }
        self
    }

    /// Adds `--flag=value` when there is a value and the version has the flag.
    pub fn maybe(&mut self, flag: &str, value: Option<impl std::fmt::Display>) -> &mut Self {
        if let Some(value) = value {
            self.flag(flag, value);
        }
        self
    }

    /// Adds `--flag`, if the version has it.
    pub fn switch(&mut self, flag: &str) -> &mut Self {
        if self.has(flag) {
            self.list.push(flag.to_string());
        }
        self
    }

    /// Adds what `args COMPONENT { … }` says; a flag that is there already is replaced.
    pub fn user(&mut self, cluster: &Cluster, component: &str) -> &mut Self {
        for (flag, value) in user_flags(cluster, component) {
            let written = if value.is_empty() { flag.clone() } else { format!("{flag}={value}") };
            let same = |word: &String| *word == flag || word.starts_with(&format!("{flag}="));
            match self.list.iter().position(same) {
                Some(at) => self.list[at] = written,
                None => self.list.push(written),
            }
        }
        self
    }

    /// The finished command line.
    pub fn finish(&mut self) -> Vec<String> {
        std::mem::take(&mut self.list)
    }
}

/// Flags that the user adds to a component, as (flag, value); the value is empty for a switch.
pub fn user_flags(cluster: &Cluster, component: &str) -> Vec<(String, String)> {
    cluster
        .topology
        .args
        .iter()
        .filter(|args| args.component.value == component)
        .flat_map(|args| &args.flags)
        .map(|node| {
            let flag =
                if node.name.starts_with('-') { node.name.clone() } else { format!("--{}", node.name) };
            let value = node.args.first().map_or(String::new(), |value| match &value.scalar {
                Scalar::Str(text) => text.clone(),
                Scalar::Int(number) => number.to_string(),
                Scalar::Float(number) => number.to_string(),
                Scalar::Bool(flag) => flag.to_string(),
                Scalar::Null => String::new(),
            });
            (flag, value)
        })
        .collect()
}
