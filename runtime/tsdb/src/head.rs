//! The head: the newest samples, in memory and in the write-ahead log.
//!
//! An [`Appender`] takes samples by the rules of Prometheus and commits them to the log and to memory; [`Head::select`] gives
//! what matchers match, as of one moment; [`Head::open`] reads the log again after a restart. [`Db`] owns the folder of a head
//! and its blocks.

mod append;
mod chunk_files;
mod commit;
mod cut;
mod db;
mod exemplars;
mod out_of_order;
mod pages;
mod postings;
mod replay;
mod samples;
mod series;
mod snapshot;
mod state;
mod symbols;
mod truncate;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use prom_model::Matcher;

use crate::fs::Fs;
use crate::wal::WalOptions;

pub use append::{AppendError, Appender, Committed};
pub use chunk_files::{HeadChunk, read_chunk};
pub use cut::CutError;
pub use db::{BlockFolder, Db, DbError, DbOptions};
pub use exemplars::Exemplar;
pub use replay::{OpenError, Progress, Replay};
pub use samples::{Sample, SampleValue};
pub use snapshot::{ChunkView, SeriesView, Snapshot};
pub use truncate::TruncateError;

use commit::Durability;
use state::State;

/// When what was written is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// When a segment of the log ends, and on closing, as Prometheus does it: the death of the process loses nothing, a loss of
    /// power what the system had not written yet.
    #[default]
    Segment,
    /// Before a commit returns; commits that wait at the same time share one sync.
    Always,
}

/// How a head works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadOptions {
    /// The length of the time ranges that become blocks, and over whose ends no chunk reaches, in milliseconds.
    pub chunk_range_ms: i64,
    /// How much older than the newest sample of the head an out-of-order sample may be, in milliseconds; 0 takes none.
    pub out_of_order_window_ms: i64,
    /// Out-of-order samples of a series that become a chunk.
    pub out_of_order_samples_max: usize,
    /// How many exemplars are kept; 0 keeps none.
    pub exemplars_max: usize,
    /// How the logs are written.
    pub wal: WalOptions,
    /// When they are made durable.
    pub fsync: Fsync,
}

impl Default for HeadOptions {
    /// As Prometheus: ranges of two hours, no out-of-order samples, no exemplars.
    fn default() -> Self {
        HeadOptions {
            chunk_range_ms: 2 * 60 * 60 * 1000,
            out_of_order_window_ms: 0,
            out_of_order_samples_max: 32,
            exemplars_max: 0,
            wal: WalOptions::default(),
            fsync: Fsync::default(),
        }
    }
}

impl HeadOptions {
    /// Without the values that mean nothing: a range has a millisecond at least, a chunk a sample.
    const fn sound(mut self) -> Self {
        if self.chunk_range_ms < 1 {
            self.chunk_range_ms = 1;
        }
        if self.out_of_order_samples_max < 1 {
            self.out_of_order_samples_max = 1;
        }
        self
    }
}

/// What is in a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeadStats {
    /// Series.
    pub series: usize,
    /// The oldest and the newest in-order sample, in milliseconds; `None` where there is none.
    pub times: Option<(i64, i64)>,
    /// The oldest and the newest out-of-order sample.
    pub out_of_order_times: Option<(i64, i64)>,
    /// How often complete chunks could not be written to disk; they stayed in memory.
    pub chunk_write_failures: u64,
}

/// The newest samples.
#[derive(Debug)]
pub struct Head {
    options: HeadOptions,
    /// The disk and the folder, of a head with a log.
    disk: Option<(Arc<dyn Fs>, PathBuf)>,
    state: RwLock<State>,
    durability: Durability,
}

impl Head {
    /// A head without log and files: for tests of speed and for what need not survive.
    pub fn in_memory(options: HeadOptions) -> Self {
        let options = options.sound();
        let state = RwLock::new(State::new(options.exemplars_max));
        Head { options, disk: None, state, durability: Durability::default() }
    }

    /// How it works.
    pub const fn options(&self) -> &HeadOptions {
        &self.options
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Begins a batch; waits for the one under way.
    pub fn appender(&self) -> Appender<'_> {
        Appender::new(self, self.write())
    }

    /// The series that satisfy all matchers and have samples from `min_time` to `max_time`, both included, sorted by labels, with
    /// the chunks that overlap the interval. Everything that was committed before is there, nothing of a batch under way.
    /// Appends wait only while chunks in memory are copied.
    pub fn select(&self, matchers: &[Matcher], min_time: i64, max_time: i64) -> Snapshot {
        snapshot::select(&self.read(), matchers, min_time, max_time, snapshot::Which::All)
    }

    /// The exemplars from `min_time` to `max_time`, both included, of the series that satisfy all matchers, in the order in which
    /// they came, and the labels of the series of each.
    pub fn exemplars(
        &self,
        matchers: &[Matcher],
        min_time: i64,
        max_time: i64,
    ) -> Vec<(prom_model::Labels, Exemplar)> {
        let state = self.read();
        let slots = state.postings.select(&state.symbols, matchers, state.series.len() as u32);
        let mut found = Vec::new();
        for exemplar in state.exemplars.between(min_time, max_time) {
            if let Some(slot) = state.slot(exemplar.series)
                && slots.binary_search(&slot).is_ok()
                && let Some(series) = state.series(slot)
            {
                found.push((state.labels(series).collect(), exemplar.clone()));
            }
        }
        found
    }

    /// The names of all labels, sorted. Those of series that are gone may be among them for a while.
    pub fn label_names(&self) -> Vec<String> {
        let state = self.read();
        let mut names: Vec<String> =
            state.postings.names().map(|name| state.symbols.get(name).to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The values of a label, sorted. Those of series that are gone may be among them for a while.
    pub fn label_values(&self, name: &str) -> Vec<String> {
        let state = self.read();
        let Some(name) = state.symbols.find(name) else {
            return Vec::new();
        };
        let values = state.postings.values(name).iter();
        let mut values: Vec<String> = values.map(|value| state.symbols.get(*value).to_owned()).collect();
        values.sort_unstable();
        values
    }

    /// What is in it.
    pub fn stats(&self) -> HeadStats {
        let state = self.read();
        let times = |min, max| (min <= max).then_some((min, max));
        HeadStats {
            series: state.live,
            times: times(state.min_time, state.max_time),
            out_of_order_times: times(state.out_of_order_min, state.out_of_order_max),
            chunk_write_failures: state.chunk_write_failures,
        }
    }
}
