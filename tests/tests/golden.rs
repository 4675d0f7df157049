//! The golden trees are what the compiler writes today; whoever changes them reviews the difference.

use std::process::Command;

use tests::{program, repository};

#[test]
fn golden_trees_are_up_to_date() {
    let output = Command::new(program::pronoia())
        .args(["golden", "--check"])
        .current_dir(repository::root())
        .output()
        .expect("pronoia starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let shown: Vec<&str> = out.lines().take(200).collect();
    assert!(
        output.status.success() && err.contains("golden trees are up to date"),
        "{}\n{err}\nreview the difference; `make golden` accepts it",
        shown.join("\n")
    );
}
