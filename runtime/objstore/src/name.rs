//! Which names an object can have: what every store takes and every disk can hold.

use std::borrow::Cow;

use crate::BucketError;

/// What S3, the strictest of the big stores, takes as a key.
const MAX_BYTES: usize = 1024;

/// Says whether this can be the name of an object.
///
/// # Errors
/// [`BucketError::InvalidName`] with the rule that it breaks.
pub fn check_name(name: &str) -> Result<(), BucketError> {
    match broken_rule(name) {
        None => Ok(()),
        Some(rule) => Err(BucketError::InvalidName { name: name.to_owned(), rule }),
    }
}

/// The prefix that all names below a folder have: `""` for the root, otherwise with one `/` at its end.
///
/// # Errors
/// [`BucketError::InvalidName`] when no object can be below such a folder.
pub fn folder_prefix(folder: &str) -> Result<Cow<'_, str>, BucketError> {
    let trimmed = folder.strip_suffix('/').unwrap_or(folder);
    if trimmed.is_empty() && folder.is_empty() {
        return Ok(Cow::Borrowed(""));
    }
    match broken_rule(trimmed) {
        Some(rule) => Err(BucketError::InvalidName { name: folder.to_owned(), rule }),
        None if folder.ends_with('/') => Ok(Cow::Borrowed(folder)),
        None => Ok(Cow::Owned(format!("{trimmed}/"))),
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > MAX_BYTES {
        return Some("it is longer than 1024 bytes");
    }
    if name.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    if name.starts_with('/') || name.ends_with('/') {
        return Some("it begins or ends with a slash");
    }
    name.split('/').find_map(|part| match part {
        "" => Some("a part between slashes is empty"),
        "." | ".." => Some("a part is `.` or `..`"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_every_store_takes() {
        for name in ["a", "01ARZ3/meta.json", "ü/温度", "a b+c%20~[x]*", "..a/b..", "a\\b", &"x".repeat(1024)]
        {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/.",
            "a\0b",
            "a\nb",
            "\u{85}",
            &"x".repeat(1025),
        ] {
            assert!(matches!(check_name(name), Err(BucketError::InvalidName { .. })), "{name:?}");
        }
    }

    #[test]
    fn folders_end_with_one_slash() {
        for (folder, prefix) in [("", ""), ("a", "a/"), ("a/", "a/"), ("a/b", "a/b/")] {
            assert_eq!(folder_prefix(folder).unwrap(), prefix);
        }
        for folder in ["/", "//", "a//", "../a", "a/../b/", "/a"] {
            assert!(folder_prefix(folder).is_err(), "{folder}");
        }
    }
}
