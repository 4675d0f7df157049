//! The order of series after external labels were added and labels were taken off.
//!
//! The series of an index are sorted by their labels in the block. Adding the same labels to all of them leaves that order as it
//! is, with one exception: of a series whose labels another one's begin with. `{a="1"}` comes before `{a="1",b="1"}`, but with
//! `z="1"` added it comes after it. Such a series waits until what follows is greater. As soon as one that begins with its
//! labels is greater, all that follow are.
//!
//! Where labels of the series themselves are taken off or replaced, nothing is left of the order, and all is sorted.

use tsdb::index::ChunkMeta;

use super::Head;
use super::decoder::Decoded;

/// Brings series into order.
#[derive(Debug)]
pub(super) struct Order {
    keeps_order: bool,
    /// Series that may have to stand behind what follows, the one that comes first last.
    waiting: Vec<(Head, Vec<ChunkMeta>)>,
    /// What is to be sorted.
    all: Decoded,
}

impl Order {
    pub(super) fn new(keeps_order: bool) -> Self {
        Order { keeps_order, waiting: Vec::new(), all: Decoded::default() }
    }

    /// Bytes of what waits to be sorted.
    pub(super) fn held_bytes(&self) -> usize {
        self.all.held_bytes()
    }

    /// Takes the next batch, gives what is in order by now.
    pub(super) fn push(&mut self, batch: Decoded) -> Option<Decoded> {
        if !self.keeps_order {
            append(&mut self.all, batch);
            return None;
        }
        if !batch.any_extends && self.waiting.len() <= 1 {
            return self.push_in_order(batch);
        }
        let Decoded { list, chunks, extends, label_bytes, .. } = batch;
        let mut ready = Decoded { label_bytes, ..Decoded::default() };
        ready.list.reserve(list.len() + self.waiting.len());
        ready.chunks.reserve(chunks.len());
        for (head, extends) in list.into_iter().zip(extends) {
            if !extends && let Some(top) = self.waiting.pop() {
                emit(&mut ready, top);
            }
            while let Some(top) = self.waiting.pop_if(|(top, _)| top.labels < head.labels) {
                emit(&mut ready, top);
            }
            let its = chunks.get(head.chunks.clone()).unwrap_or_default();
            self.waiting.push((head, its.to_vec()));
        }
        (!ready.list.is_empty()).then_some(ready)
    }

    /// Takes a batch in which no series begins with the labels of the one before: all are in order, but nobody knows what
    /// follows the last.
    fn push_in_order(&mut self, mut batch: Decoded) -> Option<Decoded> {
        let last = batch.list.pop()?;
        let its = batch.chunks.get(last.chunks.clone()).unwrap_or_default().to_vec();
        batch.chunks.truncate(last.chunks.start);
        batch.extends.pop();
        if let Some((mut first, chunks)) = self.waiting.pop() {
            let start = batch.chunks.len();
            batch.chunks.extend_from_slice(&chunks);
            first.chunks = start..batch.chunks.len();
            batch.list.insert(0, first);
        }
        self.waiting.push((last, its));
        (!batch.list.is_empty()).then_some(batch)
    }

    /// What is left.
    pub(super) fn finish(mut self) -> Decoded {
        if self.keeps_order {
            let mut rest = Decoded::default();
            while let Some(top) = self.waiting.pop() {
                rest.label_bytes += top.0.labels.as_wire().len();
                emit(&mut rest, top);
            }
            return rest;
        }
        self.all.list.sort_by(|one, two| one.labels.cmp(&two.labels));
        self.all
    }
}

fn emit(ready: &mut Decoded, (mut head, chunks): (Head, Vec<ChunkMeta>)) {
    let start = ready.chunks.len();
    ready.chunks.extend_from_slice(&chunks);
    head.chunks = start..ready.chunks.len();
    ready.list.push(head);
}

fn append(all: &mut Decoded, batch: Decoded) {
    let start = all.chunks.len();
    all.chunks.extend_from_slice(&batch.chunks);
    all.label_bytes += batch.label_bytes;
    all.list.extend(batch.list.into_iter().map(|head| Head {
        labels: head.labels,
        chunks: head.chunks.start + start..head.chunks.end + start,
    }));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storeapi::LabelBytes;

    use super::*;

    type Labels = Vec<(String, String)>;

    fn bytes(labels: &[(String, String)]) -> LabelBytes {
        LabelBytes::from_pairs(labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    fn label_set() -> impl Strategy<Value = Labels> {
        proptest::collection::btree_map("[acegi]", "[12]", 0..4).prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #[test]
        fn series_come_in_order_whatever_is_added(
            mut sets in proptest::collection::vec(label_set(), 0..40),
            external in proptest::collection::btree_map("[bdfhz]", "[12]", 0..3),
            batch in 1usize..5,
        ) {
            sets.sort();
            sets.dedup();
            let full = |set: &Labels| {
                let mut all = set.clone();
                all.extend(external.iter().map(|(name, value)| (name.clone(), value.clone())));
                all.sort();
                bytes(&all)
            };
            let mut order = Order::new(true);
            let mut sorted = Vec::new();
            let mut previous: Option<&Labels> = None;
            for part in sets.chunks(batch) {
                let mut decoded = Decoded::default();
                for set in part {
                    let extends = previous.is_some_and(|previous| set.starts_with(previous));
                    previous = Some(set);
                    decoded.extends.push(extends);
                    decoded.any_extends |= extends;
                    let chunk = ChunkMeta { min_time: set.len() as i64, ..ChunkMeta::default() };
                    decoded.chunks.push(chunk);
                    let end = decoded.chunks.len();
                    decoded.list.push(Head { labels: full(set), chunks: end - 1..end });
                }
                sorted.extend(order.push(decoded));
            }
            sorted.push(order.finish());
            let mut found = Vec::new();
            for part in sorted {
                for head in part.list {
                    let chunks = &part.chunks[head.chunks];
                    prop_assert_eq!(chunks.len(), 1);
                    prop_assert_eq!(chunks[0].min_time as usize + external.len(), head.labels.iter().count());
                    found.push(head.labels);
                }
            }
            let mut expect: Vec<LabelBytes> = sets.iter().map(full).collect();
            expect.sort();
            prop_assert_eq!(found, expect);
        }
    }
}
