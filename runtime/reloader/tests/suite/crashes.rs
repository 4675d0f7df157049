//! Outputs on a disk that fails at each of their steps: never a file that is half, never a name that points nowhere, and
//! the last good version always comes back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reloader::disk::{Disk, RealDisk};
use reloader::{Candidate, Directory, Method, Outputs, Promtool, Settings, TargetKind};

use super::disks::{Fault, FaultyDisk};

pub(crate) fn settings(root: &Path) -> Settings {
    Settings {
        config_file: Some(root.join("in/prometheus.yml")),
        config_output: Some(root.join("out/prometheus.yml")),
        rule_dirs: vec![Directory { input: root.join("in/rules"), output: Some(root.join("out/rules")) }],
        config_dirs: Vec::new(),
        environment_dirs: Vec::new(),
        watch_interval: Duration::from_secs(180),
        retry_interval: Duration::from_millis(50),
        method: Method::Http,
        target: TargetKind::Prometheus,
        tolerate_unset_variables: false,
        promtool: Promtool::Off,
    }
}

/// A configuration and rule files; some names stay, some go, some come.
fn candidate(version: u32) -> Candidate {
    let file = |name: &str, text: String| (name.to_owned(), text.into_bytes());
    let mut rules = vec![
        file("changes.yml", format!("changes {version}\n")),
        file(&format!("only-{version}.yml"), format!("only {version}\n")),
        file("same.yml", "same\n".to_owned()),
    ];
    rules.push(file("sub/deep.yml", format!("deep {version}\n")));
    let mut candidate = Candidate::default();
    candidate.config = Some(format!("# version {version}\n").into_bytes());
    candidate.rule_dirs = vec![rules];
    candidate
}

/// What a process would read: the configuration, and the rule files by what `rule_files: [rules/*.yml, rules/sub/*]` finds.
fn visible(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    if let Ok(bytes) = std::fs::read(root.join("out/prometheus.yml")) {
        files.insert("prometheus.yml".to_owned(), bytes);
    }
    for folder in ["out/rules", "out/rules/sub"] {
        for entry in std::fs::read_dir(root.join(folder)).into_iter().flatten() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".yml") {
                let bytes = std::fs::read(entry.path())
                    .unwrap_or_else(|error| panic!("{} points nowhere: {error}", entry.path().display()));
                files.insert(format!("{folder}/{name}"), bytes);
            }
        }
    }
    files
}

fn all_of(version: u32) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), version);
    visible(folder.path())
}

fn put(root: &Path, version: u32) {
    let outputs = Outputs::new(&(Arc::new(RealDisk) as Arc<dyn Disk>), &settings(root));
    outputs.commit(&outputs.stage(&candidate(version)).unwrap()).unwrap();
    outputs.confirm().unwrap();
}

/// Every file that is there is wholly of one of these versions.
fn assert_whole(found: &BTreeMap<String, Vec<u8>>, versions: &[BTreeMap<String, Vec<u8>>], when: &str) {
    for (name, bytes) in found {
        let known = versions.iter().any(|version| version.get(name) == Some(bytes));
        assert!(known, "{when}: {name} is of no version: {:?}", String::from_utf8_lossy(bytes));
    }
    assert!(found.contains_key("prometheus.yml"), "{when}: the configuration is gone");
}

#[test]
fn every_step_may_fail_or_be_the_last() {
    let versions = [all_of(1), all_of(2)];
    assert_ne!(versions[0], versions[1]);
    for fault in [Fault::Once, Fault::Crash, Fault::TornCrash] {
        let mut at = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path();
            put(root, 1);
            let disk = Arc::new(FaultyDisk::new(fault, at));
            let outputs = Outputs::new(&(disk.clone() as Arc<dyn Disk>), &settings(root));
            disk.arm();
            let when = format!("{fault:?} at {at}");
            let confirmed = (|| {
                let staged = outputs.stage(&candidate(2))?;
                assert_eq!(visible(root), versions[0], "{when}: staging is not seen");
                outputs.commit(&staged)?;
                outputs.confirm()
            })();
            assert_whole(&visible(root), &versions, &when);

            // What the next start of the reloader finds.
            let after = Outputs::new(&(Arc::new(RealDisk) as Arc<dyn Disk>), &settings(root));
            assert!(after.has_good(), "{when}: the last good version is gone");
            if fault != Fault::Once || confirmed.is_err() {
                after.restore().unwrap();
                assert!(after.live_is_good(), "{when}");
                let now = visible(root);
                // Confirming goes output by output: each is wholly of one version.
                assert_whole(&now, &versions, &when);
            }
            // And the new version can be had after all.
            after.commit(&after.stage(&candidate(2)).unwrap()).unwrap();
            after.confirm().unwrap();
            assert_eq!(visible(root), versions[1], "{when}: in the end");
            assert!(after.holds(&candidate(2)) && after.live_is_good(), "{when}");
            let hidden: Vec<String> = std::fs::read_dir(root.join("out/rules"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.starts_with("..gen-"))
                .collect();
            assert_eq!(hidden.len(), 1, "{when}: generations pile up: {hidden:?}");
            if disk.changes() <= at {
                assert!(at > 15, "the steps were counted");
                break;
            }
            at += 1;
        }
    }
}

#[test]
fn a_refused_version_is_taken_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, 1);
    let outputs = Outputs::new(&(Arc::new(RealDisk) as Arc<dyn Disk>), &settings(root));
    outputs.commit(&outputs.stage(&candidate(2)).unwrap()).unwrap();
    assert!(outputs.has_good() && !outputs.live_is_good());
    outputs.restore().unwrap();
    assert_eq!(visible(root), all_of(1));
    assert!(outputs.live_is_good());
}

#[test]
fn files_of_others_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("out/rules")).unwrap();
    std::fs::write(root.join("out/rules/mine.yml"), "mine").unwrap();
    put(root, 1);
    assert_eq!(std::fs::read(root.join("out/rules/mine.yml")).unwrap(), b"mine");
    std::fs::write(root.join("out/rules/only-2.yml"), "mine too").unwrap();
    let outputs = Outputs::new(&(Arc::new(RealDisk) as Arc<dyn Disk>), &settings(root));
    let error = outputs.stage(&candidate(2)).unwrap_err().to_string();
    assert!(error.contains("only-2.yml was not written by the reloader; move it away"), "{error}");
    assert_eq!(std::fs::read(root.join("out/rules/only-2.yml")).unwrap(), b"mine too");
}

#[test]
fn a_damaged_output_is_noticed_and_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, 1);
    let outputs = Outputs::new(&(Arc::new(RealDisk) as Arc<dyn Disk>), &settings(root));
    assert!(outputs.holds(&candidate(1)));
    std::fs::write(root.join("out/rules/same.yml"), "edited by hand").unwrap();
    assert!(!outputs.holds(&candidate(1)));
    put(root, 1);
    assert_eq!(visible(root), all_of(1));
}
