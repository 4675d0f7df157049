//! Would the process load this? Everything that the texts alone tell.

use std::collections::HashSet;
use std::path::Path;

use prom_config::{Kind, Options, Problem, Version, check_config, check_rules, check_scrape_configs};
use sha2::{Digest, Sha256};

use crate::candidate::{Candidate, Hash};
use crate::finding::{Finding, Reason};
use crate::settings::{Settings, TargetKind};

/// Validates candidates; remembers rule files that were good, so that one change in thousands costs one look.
#[derive(Debug, Default)]
pub struct Validator {
    version: Option<Version>,
    good: HashSet<Hash>,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The process would refuse these.
    pub certain: Vec<Finding>,
    /// Only the process itself can tell, as for fields of releases that are newer than this program.
    pub doubtful: Vec<Finding>,
}

impl Verdict {
    fn add(&mut self, certain: bool, finding: Finding) {
        if certain { &mut self.certain } else { &mut self.doubtful }.push(finding);
    }

    fn take(&mut self, path: &Path, problems: Vec<Problem>) {
        for problem in problems {
            let mut message = problem.message;
            if !problem.path.is_empty() {
                message = format!("{}: {message}", problem.path);
            }
            let finding = Finding {
                reason: reason(problem.kind),
                file: path.display().to_string(),
                place: Some((problem.line, problem.column)),
                message,
            };
            self.add(problem.certain, finding);
        }
    }
}

fn reason(kind: Kind) -> Reason {
    match kind {
        Kind::Encoding | Kind::Syntax => Reason::Syntax,
        Kind::UnknownField => Reason::UnknownField,
        Kind::Type | Kind::Value => Reason::Value,
        Kind::Expression => Reason::Expression,
    }
}

impl Validator {
    /// Looks at every file of a candidate, for a process of this version if it is known.
    pub fn check(&mut self, candidate: &Candidate, settings: &Settings, version: Option<Version>) -> Verdict {
        if self.version != version {
            self.good.clear();
            self.version = version;
        }
        let options = Options { version, ..Options::default() };
        let mut verdict = Verdict::default();
        if let (Some(path), Some(bytes)) = (&settings.config_file, &candidate.config) {
            match settings.target {
                _ if is_blank(bytes) => verdict.certain.push(blank(path)),
                TargetKind::Prometheus => verdict.take(path, check_config(bytes, &options).problems),
                TargetKind::Alertmanager => verdict.certain.extend(alertmanager(path, bytes)),
            }
        }
        if settings.target == TargetKind::Alertmanager {
            return verdict;
        }
        for (directory, files) in settings.config_dirs.iter().zip(&candidate.config_dirs) {
            for (name, bytes) in files {
                let path = directory.input.join(name);
                // Such a folder may hold anything that the configuration names: targets, certificates. What it is
                // stands in its first column.
                if has_key(bytes, b"scrape_configs:") {
                    verdict.take(&path, check_scrape_configs(bytes, &options).problems);
                } else if has_key(bytes, b"groups:") {
                    verdict.take(&path, check_rules(bytes, &options).problems);
                }
            }
        }
        let mut seen = HashSet::new();
        for (directory, files) in settings.rule_dirs.iter().zip(&candidate.rule_dirs) {
            for (name, bytes) in files.iter().filter(|(name, _)| is_rule_file(name)) {
                let hash: Hash = Sha256::digest(bytes).into();
                if !self.good.contains(&hash) {
                    let problems = check_rules(bytes, &options).problems;
                    if !problems.is_empty() {
                        verdict.take(&directory.input.join(name), problems);
                        continue;
                    }
                }
                seen.insert(hash);
            }
        }
        self.good = seen;
        verdict
    }
}

/// Files beside the rules, as a README, are no rules: Prometheus loads what `rule_files` names.
fn is_rule_file(name: &str) -> bool {
    [".yml", ".yaml", ".rules", ".json"].iter().any(|ending| name.ends_with(ending))
}

fn has_key(bytes: &[u8], key: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(key))
}

/// Nothing but white space and comments.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').all(|line| {
        let line = line.trim_ascii();
        line.is_empty() || line.starts_with(b"#") || line == b"---"
    })
}

fn blank(path: &Path) -> Finding {
    let text = "the file is empty, which would drop every scrape job; if that is meant, write `global: {}`";
    Finding::of_file(Reason::Empty, path.display(), text)
}

/// The outline of an Alertmanager configuration; the details are amtool's and Alertmanager's.
fn alertmanager(path: &Path, bytes: &[u8]) -> Vec<Finding> {
    let syntax = |message: String| vec![Finding::of_file(Reason::Syntax, path.display(), message)];
    let Ok(text) = std::str::from_utf8(bytes) else { return syntax("the file is not UTF-8".to_owned()) };
    let tree: serde_json::Value = match serde_saphyr::from_str(text) {
        Ok(tree) => tree,
        Err(error) => return syntax(error.to_string()),
    };
    ["route", "receivers"]
        .into_iter()
        .filter(|key| tree.get(key).is_none_or(serde_json::Value::is_null))
        .map(|key| {
            let text = format!("`{key}` is missing; Alertmanager does not load a configuration without it");
            Finding::of_file(Reason::Value, path.display(), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_files_are_told_from_small_ones() {
        assert!(is_blank(b""));
        assert!(is_blank(b"\n  # nothing\n---\n\t\n"));
        assert!(!is_blank(b"# all defaults\nglobal: {}\n"));
    }

    #[test]
    fn an_alertmanager_without_a_route_is_not_loaded() {
        let findings = alertmanager(Path::new("am.yml"), b"receivers: [{name: a}]\n");
        assert_eq!(findings.len(), 1);
        assert!(findings.first().unwrap().message.contains("`route` is missing"));
        assert!(
            alertmanager(Path::new("am.yml"), b"route: {receiver: a}\nreceivers: [{name: a}]\n").is_empty()
        );
        assert_eq!(alertmanager(Path::new("am.yml"), b"route: [").first().unwrap().reason, Reason::Syntax);
    }
}
