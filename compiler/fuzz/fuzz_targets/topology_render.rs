//! Any bytes as a topology: the compiler answers with findings or files, and never panics.
#![no_main]

use compiler::diagnostic::has_errors;
use compiler::pipeline::{self, Request};
use compiler::source::MemoryWorld;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut world = MemoryWorld::single("topology.kdl", bytes);
    // Something for `include`, `rules` and `config` to find.
    world.files.insert("rules/a.yaml".into(), RULES.into());
    world.files.insert("alertmanager.yaml".into(), ALERTMANAGER.into());
    world.files.insert("jobs/a.kdl".into(), "scrape static as=a { static \"a:1\"; }\n".into());
    let request = Request { path: "topology.kdl".into(), ..Request::default() };
    let outcome = pipeline::render(&world, &request);
    assert!(
        outcome.artefacts.is_empty() || !has_errors(&outcome.diagnostics),
        "nothing with errors is rendered"
    );
    for artefact in &outcome.artefacts {
        assert!(!artefact.path.starts_with('/') && !artefact.path.split('/').any(|part| part == ".."));
    }
});

const RULES: &str =
    "groups:\n  - name: a\n    rules:\n      - record: a:b\n        expr: sum by (job) (up)\n";
const ALERTMANAGER: &str = "route:\n  receiver: a\nreceivers:\n  - name: a\n";
