//! S3-FIFO: three queues instead of an order of use. What is read once leaves soon, what is read again stays, and nothing is
//! moved when something is read.
//!
//! Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::CacheKey;

/// What an entry costs beside its bytes: its key in two places, its slot.
const ENTRY_BYTES: usize = 160;
/// The part of the bytes that entries have which were not yet read again.
const SMALL_PART: usize = 10;

/// Entries up to a number of bytes.
#[derive(Debug)]
pub(super) struct Fifo {
    entries: HashMap<CacheKey, Slot, FixedState>,
    small: VecDeque<CacheKey>,
    main: VecDeque<CacheKey>,
    /// Hashes of keys that left `small` unread, oldest first.
    ghosts: VecDeque<u64>,
    ghost: HashSet<u64, FixedState>,
    small_bytes: usize,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Slot {
    entry: Bytes,
    /// How often it was read since it last had to prove itself, at most 3.
    reads: u8,
    small: bool,
}

/// What a cache costs that holds an entry of so many bytes.
pub(super) fn cost(key: &CacheKey, entry: &Bytes) -> usize {
    let text = match &key.what {
        super::What::Postings(text) | super::What::Expanded(text) => text.len(),
        super::What::Series(_) => 0,
    };
    entry.len() + text + ENTRY_BYTES
}

impl Fifo {
    pub(super) fn new(bytes_max: usize) -> Self {
        let hasher = || FixedState::with_seed(0x5eed);
        Fifo {
            entries: HashMap::with_hasher(hasher()),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            ghost: HashSet::with_hasher(hasher()),
            small_bytes: 0,
            bytes: 0,
            bytes_max,
        }
    }

    pub(super) fn get(&mut self, key: &CacheKey) -> Option<Bytes> {
        let slot = self.entries.get_mut(key)?;
        slot.reads = slot.reads.saturating_add(1).min(3);
        Some(slot.entry.clone())
    }

    /// Keeps an entry that fits; hands out what has to go. `false` where the key is known already.
    pub(super) fn put(
        &mut self,
        key: CacheKey,
        entry: Bytes,
        evicted: &mut dyn FnMut(&CacheKey, &Bytes),
    ) -> bool {
        if self.entries.contains_key(&key) {
            return false;
        }
        let bytes = cost(&key, &entry);
        while self.bytes + bytes > self.bytes_max && !self.entries.is_empty() {
            self.evict(evicted);
        }
        let hash = self.entries.hasher().hash_one(&key);
        let small = !self.ghost.remove(&hash);
        let queue = if small { &mut self.small } else { &mut self.main };
        queue.push_back(key.clone());
        if small {
            self.small_bytes += bytes;
        }
        self.bytes += bytes;
        self.entries.insert(key, Slot { entry, reads: 0, small });
        true
    }

    fn evict(&mut self, evicted: &mut dyn FnMut(&CacheKey, &Bytes)) {
        if self.small_bytes * SMALL_PART > self.bytes_max || self.main.is_empty() {
            self.evict_small(evicted);
        } else {
            self.evict_main(evicted);
        }
    }

    fn evict_small(&mut self, evicted: &mut dyn FnMut(&CacheKey, &Bytes)) {
        while let Some(key) = self.small.pop_front() {
            let Some(slot) = self.entries.get_mut(&key) else { continue };
            let bytes = cost(&key, &slot.entry);
            self.small_bytes -= bytes;
            if slot.reads > 0 {
                (slot.reads, slot.small) = (0, false);
                self.main.push_back(key);
                continue;
            }
            let hash = self.entries.hasher().hash_one(&key);
            if self.ghost.insert(hash) {
                self.ghosts.push_back(hash);
            }
            while self.ghosts.len() > self.entries.len().max(16) {
                if let Some(oldest) = self.ghosts.pop_front() {
                    self.ghost.remove(&oldest);
                }
            }
            self.remove(&key, bytes, evicted);
            return;
        }
        self.evict_main(evicted);
    }

    fn evict_main(&mut self, evicted: &mut dyn FnMut(&CacheKey, &Bytes)) {
        while let Some(key) = self.main.pop_front() {
            let Some(slot) = self.entries.get_mut(&key) else { continue };
            if slot.reads > 0 {
                slot.reads -= 1;
                self.main.push_back(key);
                continue;
            }
            let bytes = cost(&key, &slot.entry);
            self.remove(&key, bytes, evicted);
            return;
        }
    }

    fn remove(&mut self, key: &CacheKey, bytes: usize, evicted: &mut dyn FnMut(&CacheKey, &Bytes)) {
        self.bytes -= bytes;
        if let Some(slot) = self.entries.remove(key) {
            evicted(key, &slot.entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::cache::What;

    fn key(number: u64) -> CacheKey {
        CacheKey { block: "01HK153X00AAAAAAAAAAAAAAAA".parse().unwrap(), what: What::Series(number) }
    }

    #[test]
    fn what_is_read_again_survives_a_scan() {
        let mut fifo = Fifo::new(100 * (1000 + ENTRY_BYTES));
        let page = Bytes::from(vec![0; 1000]);
        let mut gone = Vec::new();
        let mut put = |fifo: &mut Fifo, number| {
            fifo.put(key(number), page.clone(), &mut |key, _| gone.push(key.clone()));
            assert!(fifo.bytes <= fifo.bytes_max, "{} bytes", fifo.bytes);
        };
        for number in 0..50 {
            put(&mut fifo, number);
        }
        for number in 0..50 {
            assert!(fifo.get(&key(number)).is_some());
        }
        for number in 1000..2000 {
            put(&mut fifo, number);
        }
        let kept = (0..50).filter(|number| fifo.get(&key(*number)).is_some()).count();
        assert_eq!(kept, 50, "a scan pushed out what is in use");
        assert!(gone.iter().all(|key| matches!(key.what, What::Series(1000..))));
    }
}
