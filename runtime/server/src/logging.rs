//! Log lines as the originals print them: go-kit's logfmt, or JSON.
//!
//! A line is `ts=… caller=… level=… component=… msg="…" key=value…`. Fields that code gives to `tracing` macros keep their
//! order; the field `msg` (or the event's message) comes first after `component`.

mod format;
mod journal;

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
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
    /// systemd's journal; logfmt on a machine without one.
    Journald,
}

impl Format {
    /// Reads the flag's value.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "logfmt" => Some(Self::Logfmt),
            "json" => Some(Self::Json),
            "journald" => Some(Self::Journald),
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

/// Sends everything from `level` up to standard error or the journal, from our own crates alone.
///
/// The second call in one process has no effect: the first one stays.
pub fn start(level: Level, format: Format) {
    if format == Format::Journald {
        match journal::Journal::open() {
            Ok(journal) => {
                let _ = tracing_subscriber::registry().with(journal.with_filter(ours(level))).try_init();
                return;
            }
            Err(failure) => {
                start(level, Format::Logfmt);
                tracing::warn!(msg = "the journal cannot be opened, lines go to standard error", err = %failure);
                return;
            }
        }
    }
    let layer = tracing_subscriber::fmt::layer()
        .event_format(GoKit::new(format))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter(ours(level));
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// Events from `level` up; of libraries, only what somebody should look at.
///
/// The hint keeps what libraries trace from being looked at one by one.
fn ours(level: Level) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let filter = move |metadata: &Metadata<'_>| {
        let foreign =
            ["hyper", "reqwest", "h2", "rustls", "notify", "tower", "axum", "mio", "tokio", "tonic"];
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        metadata.is_event()
            && *metadata.level() <= level
            && (*metadata.level() <= Level::WARN || !foreign.iter().any(|name| crate_name.starts_with(name)))
    };
    filter_fn(filter).with_max_level_hint(LevelFilter::from_level(level))
}
