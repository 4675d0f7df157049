//! What the compiler renders loads.

use super::corpus::{Content, golden, options, own, problems};

#[test]
fn rendered_files_load_in_the_release_they_are_for() {
    let files = golden();
    let count = |content| files.iter().filter(|file| file.content == content).count();
    assert!(count(Content::Config) >= 20, "configurations are found");
    assert!(count(Content::Rules) >= 20, "rule files are found");
    for file in files {
        let problems = problems(file.content, file.text.as_bytes(), &options(file.version));
        assert!(problems.is_empty(), "{} for {}: {problems:#?}", file.path.display(), file.version);
    }
}

#[test]
fn our_own_files_load() {
    let files = own();
    assert!(files.len() >= 7, "the files are found");
    for file in files {
        let problems = problems(file.content, file.text.as_bytes(), &options(file.version));
        assert!(problems.is_empty(), "{}: {problems:#?}", file.path.display());
    }
}
