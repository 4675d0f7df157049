//! Patches and templates of the user: what they name must exist, and the message says what does.

use compiler::diagnostic::Diagnostic;
use compiler::pipeline::{Request, render};
use compiler::source::MemoryWorld;

const TOPOLOGY: &str = "prometheus { every \"30s\"; scrape self; }";

fn findings(patch: &str, template: Option<(&str, &str)>) -> Vec<Diagnostic> {
    let world = MemoryWorld::single("t.kdl", format!("topology t {{ {TOPOLOGY}; {patch} }}"));
    let mut request = Request { path: "t.kdl".to_string(), ..Request::default() };
    request.templates.extend(template.map(|(name, text)| (name.to_string(), text.to_string())));
    let outcome = render(&world, &request);
    assert!(outcome.artefacts.is_empty(), "an error renders nothing");
    outcome.diagnostics
}

#[test]
fn a_patch_names_what_exists() {
    let unknown = findings("patch \"StatefulSet/t-promtheus\" { set \"spec.replicas\" 3; }", None);
    let found = unknown.iter().find(|found| found.code == "PAT001").expect("no such object");
    assert!(
        found.span.is_some()
            && found.help.as_deref().is_some_and(|help| help.contains("StatefulSet/t-prometheus"))
    );
    let scalar = findings("patch \"StatefulSet/t-prometheus\" { set \"spec.replicas.x\" 3; }", None);
    let found = scalar.iter().find(|found| found.code == "PAT001").expect("below a scalar");
    assert!(found.message.contains("spec.replicas.x"), "{}", found.message);
}

#[test]
fn a_template_of_the_user_is_checked_before_it_is_used() {
    let hole = "metadata:\n  name: \"<< name >>\"\n";
    let found = findings("", Some(("service.yaml.j2", hole)));
    let found = found.iter().find(|found| found.code == "TPL001").expect("a hole inside quotes");
    assert!(found.message.contains("service.yaml.j2:2"), "{}", found.message);
    let found = findings("", Some(("servise.yaml.j2", "a: 1\n")));
    assert!(
        found.iter().any(|found| found.code == "TPL001" && found.message.contains("service.yaml.j2")),
        "{found:?}"
    );
}
