//! Arguments from files: `@FILE` stands for the lines of a file, as for Thanos.

use std::ffi::OsString;

/// Puts the lines of each file in its place; lines that begin with `#` are comments. `@@x` is the argument `@x`.
pub(crate) fn expanded(arguments: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, String> {
    let mut all = Vec::new();
    for argument in arguments {
        match argument.to_str().and_then(|text| text.strip_prefix('@')) {
            Some(escaped) if escaped.starts_with('@') => all.push(escaped.into()),
            Some(path) if !path.is_empty() => {
                let text = read(path).map_err(|error| format!("@{path}: {error}"))?;
                let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
                all.extend(lines.map(OsString::from));
            }
            _ => all.push(argument),
        }
    }
    Ok(all)
}

#[expect(clippy::disallowed_methods, reason = "the command line is the world outside")]
fn read(path: &str) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test writes the file that is read")]
    fn a_file_stands_for_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flags");
        std::fs::write(&path, "# comment\n--log.level=debug\n\n--label=a b\n").unwrap();
        let at = format!("@{}", path.display());
        let of = |arguments: &[&str]| expanded(arguments.iter().map(OsString::from));
        assert_eq!(
            of(&["store", &at, "@@x", "@"]).unwrap(),
            ["store", "--log.level=debug", "--label=a b", "@x", "@"]
        );
        assert!(of(&["@/no/such/file"]).unwrap_err().starts_with("@/no/such/file: "));
    }
}
