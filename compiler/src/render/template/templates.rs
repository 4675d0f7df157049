//! The shipped templates: every file of `templates/`, compiled into the binary.

/// Name and text of every shipped template, sorted by name.
pub const SHIPPED: &[(&str, &str)] = crate::embedded::TEMPLATES;
