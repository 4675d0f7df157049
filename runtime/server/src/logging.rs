//! Log lines as the originals print them: go-kit's logfmt, or JSON.
//!
//! A line is `ts=… caller=… level=… component=… msg="…" key=value…`. Fields that code gives to `tracing` macros keep their
//! order; the field `msg` (or the event's message) comes first after `component`.

mod format;

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use format::GoKit;

/// Shape of the lines: `--log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Reads the flag's value.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "logfmt" => Some(Self::Logfmt),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Reads the value of `--log.level`.
pub fn level_from_word(word: &str) -> Option<Level> {
    match word {
        "debug" => Some(Level::DEBUG),
        "info" => Some(Level::INFO),
        "warn" => Some(Level::WARN),
        "error" => Some(Level::ERROR),
        _ => None,
    }
}

/// Sends everything from `level` up to standard error, from our own crates alone.
///
/// The second call in one process has no effect: the first one stays.
pub fn start(level: Level, format: Format) {
    let layer = tracing_subscriber::fmt::layer()
        .event_format(GoKit::new(format))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter(LevelFilter::from_level(level))
        .with_filter(tracing_subscriber::filter::filter_fn(|metadata| {
            let foreign = ["hyper", "reqwest", "h2", "rustls", "notify", "tower", "axum", "mio", "tokio"];
            let crate_name = metadata.target().split("::").next().unwrap_or_default();
            !foreign.iter().any(|name| crate_name.starts_with(name)) || *metadata.level() <= Level::WARN
        }));
    let _ = tracing_subscriber::registry().with(layer).try_init();
}
