//! The components that this build contains: one file per component, which turns flags into a configuration and runs it.

mod reloader;

use clap::{ArgMatches, Command};

/// Runs a component with its flags until it ends.
pub(crate) type Run = fn(&ArgMatches) -> anyhow::Result<()>;

/// The components that Thanos' users know and that belong here in the end.
pub(crate) const PLANNED: [&str; 9] =
    ["sidecar", "query", "query-frontend", "store", "compact", "receive", "rule", "reloader", "tools"];

/// The command line of each component of this build, and what runs it.
pub(crate) fn components() -> Vec<(Command, Run)> {
    vec![(reloader::command(), reloader::run)]
}
