//! Real programs: our own, built once, and the incumbents that judge what we write. A missing one is a failure that
//! says how to get it, never a silent skip.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::repository;

/// The compiler, built by this call if need be.
pub fn pronoia() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("compiler", "pronoia")).clone()
}

/// The runtime, built by this call if need be.
pub fn pronoiad() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("runtime", "pronoiad")).clone()
}

/// Looks into the folder that `PRONOIA_PROGRAMS` names before it builds: whoever has just built the whole workspace need
/// not build it once more with the features of one package alone.
fn built(package: &str, binary: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("PRONOIA_PROGRAMS") {
        let program = PathBuf::from(folder).join(binary);
        assert!(program.is_file(), "PRONOIA_PROGRAMS has no {binary}: {}", program.display());
        return program;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", package, "--bin", binary, "--message-format", "json"])
        .current_dir(repository::root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{binary} does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(|name| name.as_str()) == Some(binary))
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .unwrap_or_else(|| panic!("cargo names no executable for {binary}"))
}

/// A program of Debian's, in the search path.
pub fn debian(name: &str, package: &str) -> Command {
    Command::new(found(name, package))
}

/// Where a program of Debian's is.
pub fn found(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{name}` is missing: apt-get install {package} (or `make tools`)"))
}

/// The Python that has the oracles' packages, with a script of `tests/oracles/`.
pub fn oracle(script: &str) -> Command {
    let python = repository::target().join("oracles/venv/bin/python");
    assert!(
        python.is_file(),
        "{} is missing: `make tools` installs tests/oracles/requirements.txt there",
        python.display()
    );
    let mut command = Command::new(python);
    command.arg(repository::root().join("tests/oracles").join(script)).current_dir(repository::root());
    command
}

/// Runs to the end; a failure shows everything that the program said.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    said(command, &output)
}

/// Runs to the end with something on standard input.
pub fn succeed_with(command: &mut Command, input: &[u8]) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let output = std::thread::scope(|scope| {
        // A program that stops early says why on its way out, so a broken pipe is no news here.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("the program ends")
    });
    said(command, &output)
}

fn said(command: &Command, output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// Renders a topology into a folder with the real command, and returns what it said.
pub fn render(topology: &Path, folder: &Path) -> String {
    succeed(
        Command::new(pronoia())
            .args(["render", "--output"])
            .arg(folder)
            .arg(topology)
            .current_dir(repository::root()),
    )
}
