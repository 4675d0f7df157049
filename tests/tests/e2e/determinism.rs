//! Same input, same bytes: whatever the folder, the language, the time zone and the order of files on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{program, repository};

/// What a person's machine may differ in.
struct Machine {
    folder: &'static str,
    reverse: bool,
    environment: &'static [(&'static str, &'static str)],
}

const MACHINES: [Machine; 2] = [
    Machine {
        folder: "a",
        reverse: false,
        environment: &[
            ("LANG", "C"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
            ("HOME", "/nonexistent/a"),
            ("USER", "a"),
        ],
    },
    Machine {
        folder: "another folder/deeper",
        reverse: true,
        environment: &[
            ("LANG", "tr_TR.UTF-8"),
            ("LC_ALL", "de_DE.UTF-8"),
            ("TZ", "Pacific/Kiritimati"),
            ("HOME", "/nonexistent/b"),
            ("USER", "b"),
        ],
    },
];

/// Copies files one by one, so that the folder lists them in the order of copying where the file system keeps one.
fn copy(files: &[String], reverse: bool, folder: &Path) {
    let mut ordered: Vec<&String> = files.iter().collect();
    if reverse {
        ordered.reverse();
    }
    for file in ordered {
        let to = folder.join(file);
        fs::create_dir_all(to.parent().expect("files lie in folders")).expect("folder");
        fs::copy(repository::root().join(file), to).expect("copy");
    }
}

fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut tree, mut open) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("folder").flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).expect("below").to_path_buf();
                tree.insert(name, fs::read(entry.path()).expect("file"));
            }
        }
    }
    tree
}

#[test]
fn every_machine_writes_the_same_bytes() {
    let files = repository::below("examples");
    let scratch = tempfile::tempdir().expect("temporary folder");
    let pronoia = program::pronoia();
    for machine in &MACHINES {
        copy(&files, machine.reverse, &scratch.path().join(machine.folder));
    }
    let examples: Vec<&String> =
        files.iter().filter(|path| path.ends_with(".kdl") && path.matches('/').count() == 1).collect();
    assert!(!examples.is_empty(), "there are examples");
    for example in examples {
        let trees: Vec<_> = MACHINES
            .iter()
            .map(|machine| {
                let folder = scratch.path().join(machine.folder);
                let mut command = Command::new(&pronoia);
                command
                    .args(["render", "--output", "out", example.as_str()])
                    .current_dir(&folder)
                    .env_clear();
                command.envs(machine.environment.iter().copied());
                program::succeed(&mut command);
                let tree = tree(&folder.join("out"));
                fs::remove_dir_all(folder.join("out")).expect("the output folder");
                tree
            })
            .collect();
        let [one, other] = trees.as_slice() else { unreachable!("two machines") };
        assert!(!one.is_empty(), "{example} renders nothing");
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{example}");
        for (path, bytes) in one {
            assert!(other.get(path) == Some(bytes), "{example}: {} differs", path.display());
        }
    }
}
