//! Every YAML file reads the same everywhere: our reader, PyYAML, and the two readers of the Go world.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::{program, repository};

use crate::trees;

/// Where Debian puts the sources of Go packages.
const GO_PACKAGES: &str = "/usr/share/gocode";

/// Every document of every golden tree, as the readers want it: one JSON object a line.
fn documents() -> (String, usize) {
    let (mut lines, mut count) = (String::new(), 0);
    for path in trees::all().iter().flat_map(|tree| trees::yaml_files(&tree.folder)) {
        let text = std::fs::read_to_string(&path).expect("golden files are text");
        for document in split(&text) {
            let value: Value = serde_saphyr::from_str(&document)
                .unwrap_or_else(|error| panic!("{}: {error}\n{document}", path.display()));
            lines.push_str(&json!({ "yaml": document, "value": value }).to_string());
            lines.push('\n');
            count += 1;
        }
    }
    assert!(count > 0, "golden trees hold YAML");
    (lines, count)
}

/// The documents of a stream. A line `---` inside a text stands deeper, so it never begins one.
fn split(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        match documents.last_mut() {
            Some(document) if line != "---\n" => document.push_str(line),
            _ => documents.push(String::new()),
        }
    }
    documents.retain(|document| document.lines().any(|line| !line.starts_with('#')));
    documents
}

#[test]
fn python_reads_what_we_meant() {
    let (lines, count) = documents();
    let said = program::succeed_with(&mut program::oracle("yaml_readback.py"), lines.as_bytes());
    assert_eq!(said.trim(), format!("{count} documents read back"));
}

#[test]
fn go_reads_what_we_meant() {
    let (lines, count) = documents();
    let said = program::succeed_with(&mut Command::new(go_reader()), lines.as_bytes());
    assert_eq!(said.trim(), format!("{count} documents read back"));
}

#[test]
fn the_readers_notice_other_types() {
    let wrong = format!("{}\n", json!({ "yaml": "a: on\n", "value": { "a": "on" } }));
    for mut reader in [program::oracle("yaml_readback.py"), Command::new(go_reader())] {
        let input = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(input.path(), &wrong).expect("file");
        let output = reader
            .stdin(std::fs::File::open(input.path()).expect("file"))
            .output()
            .expect("the reader starts");
        assert!(!output.status.success(), "{reader:?} takes a bare `on` for text");
    }
}

/// The Go program, compiled.
fn go_reader() -> PathBuf {
    let packages = Path::new(GO_PACKAGES).join("src/gopkg.in");
    for (version, package) in
        [("yaml.v2", "golang-gopkg-yaml.v2-dev"), ("yaml.v3", "golang-gopkg-yaml.v3-dev")]
    {
        assert!(
            packages.join(version).is_dir(),
            "{version} is missing: apt-get install {package} (or `make tools`)"
        );
    }
    let folder = repository::target().join("oracles");
    // Tests run side by side, each building into a name of its own first.
    let (reader, fresh) = (folder.join("go_yaml"), folder.join(format!("go_yaml.{}", std::process::id())));
    let mut go = program::debian("go", "golang-go");
    go.arg("build").arg("-o").arg(&fresh).arg("main.go");
    go.current_dir(repository::root().join("tests/oracles/go_yaml"));
    go.env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("GOPATH", GO_PACKAGES)
        .env("GOCACHE", folder.join("go"));
    program::succeed(&mut go);
    std::fs::rename(&fresh, &reader).expect("one file system");
    reader
}
