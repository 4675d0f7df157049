//! The programs that a plan needs: where they are, which version, and how to get what is missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::bail;
use compiler::facts::Version;

/// Where the programs are, when they are not in the search path.
#[derive(Debug, Default, Clone, clap::Args)]
pub(super) struct Paths {
    /// Path of Prometheus [env: PRONOIA_PROMETHEUS; else `prometheus` in PATH]
    #[arg(long, value_name = "PATH", help_heading = "Programs")]
    prometheus: Option<PathBuf>,
    /// Path of Alertmanager [env: PRONOIA_ALERTMANAGER; else `alertmanager` or `prometheus-alertmanager` in PATH]
    #[arg(long, value_name = "PATH", help_heading = "Programs")]
    alertmanager: Option<PathBuf>,
    /// Path of pronoiad [env: PRONOIAD; else beside this command, else in PATH]
    #[arg(long, value_name = "PATH", help_heading = "Programs")]
    pronoiad: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Programs {
    prometheus: Option<PathBuf>,
    alertmanager: Option<PathBuf>,
    pronoiad: Option<PathBuf>,
    /// Release of the Prometheus, when it says one.
    pub(super) prometheus_version: Option<Version>,
    /// The same for Alertmanager.
    pub(super) alertmanager_version: Option<Version>,
    /// Components that pronoiad was built with.
    components: Vec<String>,
}

impl Programs {
    /// Looks everywhere; what is missing is no error yet.
    pub(super) fn find(paths: &Paths) -> anyhow::Result<Programs> {
        let prometheus = locate(&paths.prometheus, "PRONOIA_PROMETHEUS", &["prometheus"], false)?;
        let names = ["alertmanager", "prometheus-alertmanager"];
        let alertmanager = locate(&paths.alertmanager, "PRONOIA_ALERTMANAGER", &names, false)?;
        let pronoiad = locate(&paths.pronoiad, "PRONOIAD", &["pronoiad"], true)?;
        let version = |path: &Option<PathBuf>| version(&said(path.as_deref()?, "--version")?);
        let help = pronoiad.as_deref().and_then(|path| said(path, "--help"));
        Ok(Programs {
            prometheus_version: version(&prometheus),
            alertmanager_version: version(&alertmanager),
            components: help.map(|help| components(&help)).unwrap_or_default(),
            prometheus,
            alertmanager,
            pronoiad,
        })
    }

    /// Whether pronoiad can be this component; without a pronoiad nobody knows.
    pub(super) fn has_component(&self, component: &str) -> bool {
        self.pronoiad.is_none() || self.components.iter().any(|known| known == component)
    }

    /// The path of a program, or its bare name.
    pub(super) fn path(&self, program: &str) -> PathBuf {
        let found = match program {
            "prometheus" => &self.prometheus,
            "alertmanager" => &self.alertmanager,
            _ => &self.pronoiad,
        };
        found.clone().unwrap_or_else(|| program.into())
    }

    /// Fails when one of these programs is missing, or the component without which nothing starts.
    pub(super) fn must_have<'a>(&self, needed: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
        let mut missing: Vec<String> = Vec::new();
        for program in needed {
            let (found, how) = match program {
                "prometheus" => (&self.prometheus, "apt-get install prometheus"),
                "alertmanager" => (&self.alertmanager, "apt-get install prometheus-alertmanager"),
                _ => (&self.pronoiad, "cargo build --package runtime --bin pronoiad"),
            };
            let line =
                format!("`{program}` is not installed: {how}, or say where it is with --{program} PATH");
            if found.is_none() && !missing.contains(&line) {
                missing.push(line);
            }
        }
        if !missing.is_empty() {
            bail!("{}", missing.join("\n  "));
        }
        Ok(())
    }

    /// Which releases decide here.
    pub(super) fn versions(&self) -> String {
        let known = [
            ("Prometheus", "prometheus", self.prometheus_version, &self.prometheus),
            ("Alertmanager", "alertmanager", self.alertmanager_version, &self.alertmanager),
        ];
        let mut text = String::new();
        for (name, flag, version, path) in known {
            let (Some(version), Some(path)) = (version, path) else { continue };
            text.push_str(&format!(
                "this machine has {name} {version} (`{}`), which decides here in the place of `target`; \
                 run another one with --{flag} PATH\n",
                path.display()
            ));
        }
        text
    }

    /// Fails when there is a pronoiad that cannot reload.
    pub(super) fn must_reload(&self) -> anyhow::Result<()> {
        if let Some(path) = self.pronoiad.as_ref().filter(|_| !self.has_component("reloader")) {
            bail!(
                "`{}` has no `reloader`, through which Prometheus and Alertmanager get their files\n  \
                 build a newer one: cargo build --package runtime --bin pronoiad",
                path.display()
            );
        }
        Ok(())
    }
}

/// What was asked for, or the first of the names that exists.
fn locate(
    asked: &Option<PathBuf>,
    variable: &str,
    names: &[&str],
    beside: bool,
) -> anyhow::Result<Option<PathBuf>> {
    let set = std::env::var_os(variable).filter(|value| !value.is_empty());
    if let Some(path) = asked.clone().or_else(|| set.map(PathBuf::from)) {
        if !path.is_file() {
            bail!(
                "`{}` is no program: check --{} and {variable}",
                path.display(),
                names.last().unwrap_or(&"")
            );
        }
        return Ok(Some(path.canonicalize()?));
    }
    let own = std::env::current_exe().ok().filter(|_| beside);
    let mut folders: Vec<PathBuf> = own.iter().filter_map(|own| own.parent()).map(PathBuf::from).collect();
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let mut candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    Ok(candidates.find(|path| path.is_file()))
}

/// Everything that a program says when it is asked something.
fn said(program: &Path, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// The number behind `version`: `prometheus, version 2.42.0+ds (branch: …`.
fn version(said: &str) -> Option<Version> {
    let word = said.split_once("version ")?.1.split_whitespace().next()?;
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let end = word.find(|c| !digits(c)).unwrap_or(word.len());
    word.get(..end)?.trim_end_matches('.').parse().ok()
}

/// The list behind `Components in this build:`, which may go over several lines.
fn components(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("Components in this build:") else { return Vec::new() };
    let list = list.split("\n\n").next().unwrap_or_default();
    let words = list.split([',', '\n']).map(str::trim);
    words.filter(|word| !word.is_empty() && !word.contains(' ')).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_say() {
        let text = "prometheus, version 2.42.0+ds (branch: debian/sid, revision: 1)\n  go version: go1.19";
        assert_eq!(version(text), Some(Version::new(2, 42, 0)));
        assert_eq!(version("prometheus, version 3.5.0-rc.1 (x)"), Some(Version::new(3, 5, 0)));
        assert_eq!(version("no such thing"), None);
    }

    #[test]
    fn components_are_read_from_the_help() {
        assert_eq!(components("x\n\nComponents in this build: store, query\n"), ["store", "query"]);
        assert_eq!(
            components("Components in this build: store,\nquery-frontend\n\nmore"),
            ["store", "query-frontend"]
        );
        assert_eq!(components("Components in this build: none yet"), Vec::<String>::new());
        assert_eq!(components("nothing"), Vec::<String>::new());
    }

    #[test]
    fn a_missing_program_comes_with_its_command() {
        let error = Programs::default().must_have(["prometheus", "pronoiad"].into_iter()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("apt-get install prometheus") && text.contains("cargo build"), "{text}");
    }
}
