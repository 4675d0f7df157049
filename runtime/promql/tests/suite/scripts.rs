//! Scripts of our own, and those of Prometheus where the folder of shared data is at hand.
#![expect(clippy::disallowed_methods, reason = "tests read scripts")]
#![expect(clippy::print_stderr, reason = "what is skipped is told loudly")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prom_model::SystemClock;
use promql::script;

/// Runs all scripts of a folder; gives the number of evaluations, and what failed.
fn run_folder(folder: &Path) -> (usize, Vec<String>) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder can be listed")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has scripts", folder.display());
    let (mut total, mut failed) = (0, Vec::new());
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let text = std::fs::read_to_string(&file).expect("the script is text");
        let outcomes = match script::run(&text, Arc::new(SystemClock)) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                failed.push(format!("{name}: {error}"));
                continue;
            }
        };
        let passed = outcomes.iter().filter(|outcome| outcome.failure.is_none()).count();
        eprintln!("{name}: {passed} of {} passed", outcomes.len());
        total += outcomes.len();
        failed.extend(outcomes.into_iter().filter_map(|outcome| {
            Some(format!("{name}:{}: {}: {}", outcome.line, outcome.query, outcome.failure?))
        }));
    }
    (total, failed)
}

#[test]
fn our_scripts_pass() {
    let (total, failed) = run_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts"));
    assert!(failed.is_empty(), "{} of {total} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(total > 20, "only {total} evaluations ran");
}

#[test]
fn the_scripts_of_prometheus_pass() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("PRONOIA_SHARED is not set: Prometheus' own scripts were NOT run");
        return;
    };
    let (total, failed) = run_folder(&PathBuf::from(shared).join("promqltest"));
    assert!(failed.is_empty(), "{} of {total} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(total > 2000, "only {total} evaluations ran");
}
