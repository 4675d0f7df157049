//! Builds JSON pointers (RFC 6901), the addresses of values inside an object.

use std::fmt::Write;

/// Appends the step to the entry `key` of a mapping.
pub(super) fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Appends the step to the item `index` of a list.
pub(super) fn push_index(pointer: &mut String, index: usize) {
    let _ = write!(pointer, "/{index}");
}
