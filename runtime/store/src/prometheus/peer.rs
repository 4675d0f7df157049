//! What is known of the Prometheus at a time, shared between those who ask it and those who answer for it.

use std::sync::{Arc, PoisonError, RwLock};

use prom_model::Labels;

/// The Prometheus beside a sidecar, as it was when it was last asked. Clones share it.
#[derive(Debug, Clone)]
pub struct Peer {
    known: Arc<RwLock<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    labels: Arc<Labels>,
    min_time: i64,
    version: String,
}

impl Peer {
    /// A Prometheus of which only the lower bound of `--min-time` is known, milliseconds.
    pub fn new(min_time: i64) -> Self {
        let known = Known { labels: Arc::new(Labels::new()), min_time, version: String::new() };
        Peer { known: Arc::new(RwLock::new(known)) }
    }

    /// Its external labels.
    pub fn labels(&self) -> Arc<Labels> {
        self.read(|known| Arc::clone(&known.labels))
    }

    /// The least time that is served, milliseconds.
    pub fn min_time(&self) -> i64 {
        self.read(|known| known.min_time)
    }

    /// Whether its label calls take matchers.
    pub(super) fn label_calls_take_matchers(&self) -> bool {
        self.read(|known| super::facts::label_calls_take_matchers(&known.version))
    }

    /// From now on it has these external labels.
    pub fn set_labels(&self, labels: Labels) {
        self.write(|known| {
            if *known.labels != labels {
                known.labels = Arc::new(labels);
            }
        });
    }

    /// From now on this is the least time that is served.
    pub fn set_min_time(&self, min_time: i64) {
        self.write(|known| known.min_time = min_time);
    }

    /// From now on it is of this version.
    pub fn set_version(&self, version: String) {
        self.write(|known| known.version = version);
    }

    fn read<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut Known)) {
        write(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}
