//! The name under which the program was called: a link named after a component is that component.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The links that packages make, and the component that each stands for.
const LINKS: [(&str, &str); 8] = [
    ("pronoia-sidecar", "sidecar"),
    ("pronoia-querier", "query"),
    ("pronoia-query-frontend", "query-frontend"),
    ("pronoia-store", "store"),
    ("pronoia-compactor", "compact"),
    ("pronoia-receiver", "receive"),
    ("pronoia-ruler", "rule"),
    ("pronoia-reloader", "reloader"),
];

/// The command line with the component in it, where the name of the program says which.
pub(crate) fn with_component(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments.first().and_then(|program| Path::new(program).file_name());
    if let Some(component) = name.and_then(component) {
        // Usage and errors are then those of the whole command, under which the documents have them.
        arguments.splice(..1, ["pronoiad".into(), component.into()]);
    }
    arguments
}

fn component(name: &OsStr) -> Option<&'static str> {
    LINKS.iter().find(|(link, _)| name == *link).map(|(_, component)| *component)
}
