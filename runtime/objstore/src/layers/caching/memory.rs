//! What is remembered, and what is forgotten first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prom_model::TimestampMs;

use crate::{Attributes, Entry};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Attributes(String),
    Content(String),
    /// A folder, and whether all below was asked for.
    Listing(String, bool),
}

/// What was answered.
#[derive(Debug, Clone)]
pub(super) enum Value {
    There(Attributes),
    Missing,
    Content(Attributes, Bytes),
    /// Its content is not kept.
    TooLarge,
    Listing(Arc<[Entry]>),
}

/// Answers with their times, up to a number of bytes.
pub(super) struct Remembered {
    by_key: HashMap<Key, Slot>,
    /// Keys by when they were last used.
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    bytes: u64,
    bytes_max: u64,
}

struct Slot {
    value: Value,
    since: TimestampMs,
    good_for: Duration,
    used: u64,
    bytes: u64,
}

impl Remembered {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { by_key: HashMap::new(), by_use: BTreeMap::new(), uses: 0, bytes: 0, bytes_max }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn get(&mut self, key: &Key, now: TimestampMs) -> Option<Value> {
        let slot = self.by_key.get_mut(key)?;
        // A clock that went back says nothing about an age.
        let fresh = u64::try_from(now.since(slot.since).as_millis())
            .is_ok_and(|age| Duration::from_millis(age) < slot.good_for);
        if !fresh {
            self.remove(key);
            return None;
        }
        self.uses += 1;
        self.by_use.remove(&slot.used);
        slot.used = self.uses;
        self.by_use.insert(self.uses, key.clone());
        Some(slot.value.clone())
    }

    pub(super) fn put(&mut self, key: Key, value: Value, now: TimestampMs, good_for: Duration) {
        self.remove(&key);
        let bytes = weight(&key).saturating_add(value.weight());
        if bytes > self.bytes_max {
            return;
        }
        while self.bytes.saturating_add(bytes) > self.bytes_max {
            let Some(oldest) = self.by_use.values().next().cloned() else { break };
            self.remove(&oldest);
        }
        self.uses += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.by_use.insert(self.uses, key.clone());
        self.by_key.insert(key, Slot { value, since: now, good_for, used: self.uses, bytes });
    }

    /// Forgets an object, and the listings in which it may be.
    pub(super) fn forget(&mut self, name: &str) {
        self.remove(&Key::Attributes(name.to_owned()));
        self.remove(&Key::Content(name.to_owned()));
        let ends = name.match_indices('/').map(|(slash, _)| slash);
        let folders = std::iter::once("")
            .chain(ends.clone().filter_map(|slash| name.get(..slash)))
            .chain(ends.filter_map(|slash| name.get(..=slash)));
        for folder in folders {
            for recursive in [false, true] {
                self.remove(&Key::Listing(folder.to_owned(), recursive));
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(slot) = self.by_key.remove(key) {
            self.by_use.remove(&slot.used);
            self.bytes = self.bytes.saturating_sub(slot.bytes);
        }
    }
}

impl Value {
    fn weight(&self) -> u64 {
        let bytes = match self {
            Value::Content(_, bytes) => bytes.len(),
            Value::Listing(entries) => {
                entries.iter().map(|entry| entry.name.len() + size_of::<Entry>()).sum()
            }
            Value::There(_) | Value::Missing | Value::TooLarge => 0,
        };
        bytes as u64
    }
}

/// A key is there twice, with what keeps it in place.
fn weight(key: &Key) -> u64 {
    let (Key::Attributes(name) | Key::Content(name) | Key::Listing(name, _)) = key;
    2 * (name.len() + size_of::<Key>()) as u64 + size_of::<Slot>() as u64
}
