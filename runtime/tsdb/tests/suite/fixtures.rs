//! Where the recorded blocks are. They are not part of the repository: `PRONOIA_SHARED` names a folder that has them.

use std::path::{Path, PathBuf};

/// The folder of fixtures; without it the test that asks is left out, loudly.
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
pub(crate) fn folder(what: &str) -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so {what} was not tested");
        return None;
    };
    Some(Path::new(&shared).join("fixtures"))
}

/// The folders in a folder, sorted.
pub(crate) fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Every block that is as it should be.
pub(crate) fn good_blocks(fixtures: &Path) -> Vec<PathBuf> {
    let buckets = ["bucket-raw", "bucket-compacted", "bucket-dedup", "corrupt-blocks-neighbours"];
    let blocks: Vec<PathBuf> = buckets.iter().flat_map(|bucket| folders(&fixtures.join(bucket))).collect();
    assert!(blocks.len() > 150, "only {} blocks in {}", blocks.len(), fixtures.display());
    blocks
}
