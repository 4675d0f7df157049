//! The files with which Prometheus tests its own `promtool`.

use std::path::PathBuf;

use super::corpus::{Content, DEBIAN, options, problems};
use super::promtool::verdict;

#[test]
fn verdicts_on_the_files_of_promtool_are_its_own() {
    let Some(folder) =
        std::env::var_os("PRONOIA_SHARED").map(|shared| PathBuf::from(shared).join("promtool-testdata"))
    else {
        // Tests may print; a reader of the output has to know that nothing was compared.
        #[expect(clippy::print_stderr, reason = "said loudly, the files are not part of the repository")]
        {
            eprintln!("PRONOIA_SHARED is not set: the files of promtool are NOT compared");
        }
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let (mut compared, mut different) = (0, Vec::new());
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".yml") || name.contains("test") || name.contains("sd-file") {
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        for content in [Content::Config, Content::Rules] {
            let theirs = verdict(scratch.path(), content, &text);
            let ours = problems(content, &text, &options(DEBIAN));
            compared += 1;
            // Here `promtool` goes on to relabel the targets, which Prometheus does when it scrapes.
            let relabels = name.starts_with("url_in_") && theirs.output.contains("is not a valid hostname");
            if theirs.loads != ours.is_empty() && !relabels {
                different.push(format!("{name} as {content:?}: ours {ours:?}, theirs {}", theirs.output));
            }
        }
    }
    assert!(compared > 40, "the files are found");
    assert!(different.is_empty(), "{}", different.join("\n"));
}
