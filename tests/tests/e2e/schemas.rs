//! Every object against the schemas of Kubernetes: what the API server would refuse, and what it has stopped serving.

use tests::program;

use crate::trees;

/// Today's release and the oldest that is still patched by somebody.
const RELEASES: [&str; 2] = ["1.33", "1.37"];
/// The release for which the tutorial was written.
const BARE_RELEASE: &str = "1.25";

#[test]
fn every_object_fits_the_schemas_of_current_kubernetes() {
    let trees = trees::all();
    for release in RELEASES {
        let mut oracle = program::oracle("kubernetes_schemas.py");
        oracle.arg(release).args(trees.iter().filter(|tree| !tree.bare).map(|tree| &tree.folder));
        print(&program::succeed(&mut oracle));
    }
}

#[test]
fn bare_objects_fit_the_schemas_of_their_time() {
    let trees = trees::all();
    let mut oracle = program::oracle("kubernetes_schemas.py");
    oracle
        .args(["--errors-only", BARE_RELEASE])
        .args(trees.iter().filter(|tree| tree.bare).map(|tree| &tree.folder));
    print(&program::succeed(&mut oracle));
}

#[test]
fn the_judge_refuses_unknown_fields_and_removed_kinds() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let refuses = |text: &str| {
        std::fs::write(folder.path().join("object.yaml"), text).expect("file");
        let mut oracle = program::oracle("kubernetes_schemas.py");
        let output = oracle.arg("1.33").arg(folder.path()).output().expect("the oracle starts");
        !output.status.success()
    };
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n    - port: 80\n";
    assert!(!refuses(service), "a good object passes");
    assert!(refuses(&format!("{service}      prot: TCP\n")), "an unknown field does not");
    assert!(refuses("apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata:\n  name: a\n"));
}

#[expect(
    clippy::print_stdout,
    reason = "counts of what was judged and what was left out belong into the log"
)]
fn print(text: &str) {
    println!("{text}");
}
