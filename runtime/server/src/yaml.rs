//! YAML settings: one line says what is wrong, where, and what was probably meant.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a text is not what it should be; one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct YamlError(String);

/// Reads a text; unknown keys are answered with the nearest known one.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let text = error.without_snippet().to_string();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        YamlError(match nearest(&line) {
            Some(known) => format!("{line}; did you mean `{known}`?"),
            None => line,
        })
    })
}

/// The key that looks most like the unknown one that the error names.
fn nearest(line: &str) -> Option<&str> {
    let (_, after) = line.split_once("unknown field `")?;
    let (unknown, after) = after.split_once('`')?;
    let known = after.split_once("expected one of ").or_else(|| after.split_once("expected "))?.1;
    known
        .split(" at line ")
        .next()?
        .split(", ")
        .map(|known| (known, strsim::jaro_winkler(known, unknown)))
        .filter(|(_, likeness)| *likeness > 0.7)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(known, _)| known)
}

/// An error with its causes, as commands print it.
#[cfg(test)]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
