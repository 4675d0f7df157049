//! What no compiler checks: the house rules, each as a test that names the line to change.

mod catalogue;
mod documents;
mod layers;
mod sources;
mod wording;

/// Fails with every problem at once.
fn no_problems(problems: Vec<String>) {
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}
