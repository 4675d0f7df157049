//! Lists the files that are compiled into `pronoia`: templates, alerts, dashboards and the pages of the checks.
//!
//! A new file in one of these folders is embedded without a line of code.
#![expect(clippy::disallowed_methods, reason = "a build script reads what it embeds")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    let mut code = String::new();
    table(&mut code, "TEMPLATES", &here.join("../templates"), ".yaml.j2")?;
    table(&mut code, "ALERTS", &here.join("../templates/alerts"), ".yaml")?;
    table(&mut code, "DASHBOARDS", &here.join("../templates/dashboards"), ".json")?;
    table(&mut code, "CHECK_PAGES", &here.join("checks"), ".md")?;
    fs::write(out.join("embedded.rs"), code)
}

/// Writes `pub const NAME: &[(&str, &str)]` with the name and text of every file of the folder, sorted by name.
fn table(code: &mut String, name: &str, folder: &Path, ending: &str) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    let _ = writeln!(
        code,
        "/// Files of the folder, as (name, text), sorted by name.\npub const {name}: &[(&str, &str)] = &["
    );
    for file in files {
        let base = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if base.ends_with(ending) {
            let _ = writeln!(code, "    ({base:?}, include_str!({:?})),", file.display().to_string());
        }
    }
    code.push_str("];\n");
    Ok(())
}
