//! Pairs of flags that take a text or a file with it, as `--objstore.config` and `--objstore.config-file`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The text behind a pair of flags as it was given; `None` if neither is given or the text is empty.
///
/// `flag` is the name without `--` and without `-file`. Both together are an error.
pub(crate) fn content(
    flag: &str,
    inline: Option<&str>,
    file: Option<&PathBuf>,
) -> anyhow::Result<Option<String>> {
    let text = match (inline, file) {
        (Some(_), Some(_)) => bail!("--{flag} and --{flag}-file are both given; give one of them"),
        (Some(text), None) => text.to_owned(),
        (None, Some(path)) => read(path).with_context(|| format!("--{flag}-file"))?,
        (None, None) => return Ok(None),
    };
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// As [`content`], with `$(VAR)` replaced from the environment; a variable that is not set is an error.
pub(crate) fn expanded_content(
    flag: &str,
    inline: Option<&str>,
    file: Option<&PathBuf>,
) -> anyhow::Result<Option<String>> {
    let text = content(flag, inline, file)?;
    text.map(|text| expand(&text, &environment()).with_context(|| format!("--{flag}"))).transpose()
}

#[expect(clippy::disallowed_methods, reason = "commands are the world outside")]
fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Variables whose name or value is no UTF-8 cannot stand in YAML.
fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Replaces `$(NAME)` once; values are not looked at again, and everything else with a `$` stays as it is.
fn expand(text: &str, environment: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$(") {
        out.push_str(before);
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        match end.and_then(|end| after.split_at_checked(end)) {
            Some((name, tail)) if !name.is_empty() && tail.starts_with(')') => {
                let value = environment.get(name).with_context(|| format!("variable {name} is not set"))?;
                out.push_str(value);
                rest = tail.strip_prefix(')').unwrap_or(tail);
            }
            _ => {
                out.push_str("$(");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_once() {
        let environment =
            BTreeMap::from([("KEY".to_owned(), "$(OTHER)".to_owned()), ("EMPTY".to_owned(), String::new())]);
        for (text, expanded) in [
            ("a: $(KEY)", "a: $(OTHER)"),
            ("[$(EMPTY)]", "[]"),
            ("$1 ${KEY} $( KEY) $() $(", "$1 ${KEY} $( KEY) $() $("),
            ("$($(EMPTY))", "$()"),
        ] {
            assert_eq!(expand(text, &environment).unwrap(), expanded, "{text}");
        }
        let error = expand("$(MISSING)", &environment).unwrap_err();
        assert_eq!(error.to_string(), "variable MISSING is not set");
    }

    #[test]
    fn both_flags_are_one_too_many() {
        let file = PathBuf::from("/nowhere");
        let error = content("objstore.config", Some("type: S3"), Some(&file)).unwrap_err();
        assert!(error.to_string().contains("--objstore.config and --objstore.config-file"), "{error}");
        assert_eq!(content("objstore.config", None, None).unwrap(), None);
        assert_eq!(content("objstore.config", Some(" \n"), None).unwrap(), None);
    }
}
