//! The golden trees: what users would deploy.

use std::path::{Path, PathBuf};

use tests::repository;

/// One golden tree.
pub(crate) struct Tree {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Whether its profile is `bare`: objects as tutorials write them.
    pub(crate) bare: bool,
}

/// Every golden tree; there is one for each example.
pub(crate) fn all() -> Vec<Tree> {
    let trees: Vec<Tree> = repository::folders("golden")
        .into_iter()
        .map(|name| {
            let example = name.split('.').next().unwrap_or(&name);
            let bare = repository::text(&format!("examples/{example}.kdl")).contains("profile=bare");
            Tree { folder: repository::root().join("golden").join(&name), bare }
        })
        .collect();
    assert!(!trees.is_empty(), "golden/ is empty: `make golden` renders the examples");
    trees
}

/// The YAML files of a folder, with every folder below it.
pub(crate) fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let root = repository::root();
    let relative = folder.strip_prefix(&root).expect("trees are part of the repository");
    repository::below(&relative.to_string_lossy())
        .into_iter()
        .filter(|path| path.ends_with(".yaml") || path.ends_with(".yml"))
        .map(|path| root.join(path))
        .collect()
}
