//! What a merge is, written slowly: iterators over single samples, one inside the other.

use std::collections::BTreeMap;

use compact::merge::Overlaps;
use tsdb::block::Interval;

use super::world::{Chunk, Labels, Source, Value, encode};

type Sample = (i64, Value);

/// Merges blocks whose samples are to lie in `times`, the last inclusive.
pub(crate) fn merged(
    sources: &[Source],
    overlaps: Overlaps,
    times: (i64, i64),
) -> BTreeMap<Labels, Vec<Chunk>> {
    let mut all: BTreeMap<Labels, Vec<Chunk>> = BTreeMap::new();
    for source in sources {
        for (labels, chunks) in &source.series {
            let mut deleted = source.deleted.get(labels).cloned().unwrap_or_default();
            deleted.push(Interval { min_time: i64::MIN, max_time: times.0 - 1 });
            deleted.push(Interval { min_time: times.1 + 1, max_time: i64::MAX });
            let left = chunks.iter().flat_map(|chunk| undeleted(chunk, &deleted));
            all.entry(labels.clone()).or_default().extend(left);
        }
    }
    for chunks in all.values_mut() {
        // Of chunks with the same times the one of the earlier block is first.
        chunks.sort_by_key(Chunk::times);
        *chunks = without_overlaps(std::mem::take(chunks), overlaps);
    }
    all.retain(|_, chunks| !chunks.is_empty());
    all
}

/// What is left of a chunk: the chunk itself where nothing of it was deleted.
fn undeleted(chunk: &Chunk, deleted: &[Interval]) -> Vec<Chunk> {
    let is_left = |sample: &&Sample| !deleted.iter().any(|interval| interval.contains(sample.0));
    let left: Vec<Sample> = chunk.samples.iter().filter(is_left).cloned().collect();
    if left.len() == chunk.samples.len() { vec![chunk.clone()] } else { encode(&left, usize::MAX) }
}

fn without_overlaps(chunks: Vec<Chunk>, overlaps: Overlaps) -> Vec<Chunk> {
    let mut made = Vec::new();
    let mut chunks = chunks.into_iter().peekable();
    while let Some(first) = chunks.next() {
        let mut end = first.times().1;
        let mut group = vec![first];
        while let Some(next) = chunks.next_if(|next| next.times().0 <= end) {
            end = end.max(next.times().1);
            // The same chunk twice in a row is one.
            if group[group.len() - 1] != next {
                group.push(next);
            }
        }
        if group.len() == 1 {
            made.append(&mut group);
            continue;
        }
        let samples = match overlaps {
            Overlaps::OneToOne => chained(group),
            Overlaps::Penalty => nested(group),
        };
        made.extend(encode(&samples, 120));
    }
    made
}

/// The turn goes to another chunk when its next sample is not later; those that wait stand in a heap as in Go's
/// `container/heap`.
fn chained(group: Vec<Chunk>) -> Vec<Sample> {
    let mut queues: Vec<Vec<Sample>> = group.into_iter().map(|chunk| chunk.samples).collect();
    // The first chunk of the group comes last, and samples are taken from the end.
    queues.rotate_left(1);
    for queue in &mut queues {
        queue.reverse();
    }
    let mut heap: Vec<Vec<Sample>> = Vec::new();
    let mut queues = queues.into_iter();
    let mut current = queues.next().unwrap();
    for queue in queues {
        push(&mut heap, queue);
    }
    let mut out: Vec<Sample> = Vec::new();
    loop {
        let last = out.last().map(|(time, _)| *time);
        match current.last().map(|(time, _)| *time) {
            Some(time) if Some(time) == last => {
                current.pop();
            }
            Some(time) if heap.first().is_none_or(|top| time < here(top)) => out.extend(current.pop()),
            time => {
                if time.is_some() {
                    push(&mut heap, current);
                }
                if heap.is_empty() {
                    return out;
                }
                current = pop(&mut heap);
                // It gets the turn even if others wait at the same time.
                if Some(here(&current)) != last {
                    out.extend(current.pop());
                }
            }
        }
    }
}

fn here(queue: &[Sample]) -> i64 {
    queue[queue.len() - 1].0
}

fn push(heap: &mut Vec<Vec<Sample>>, queue: Vec<Sample>) {
    heap.push(queue);
    let mut at = heap.len() - 1;
    while at > 0 && here(&heap[at]) < here(&heap[(at - 1) / 2]) {
        heap.swap(at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

fn pop(heap: &mut Vec<Vec<Sample>>) -> Vec<Sample> {
    let popped = heap.swap_remove(0);
    let mut at = 0;
    loop {
        let children = [2 * at + 1, 2 * at + 2].into_iter().filter(|child| *child < heap.len());
        // The left one of two that are equal.
        let Some(child) = children.min_by_key(|child| here(&heap[*child])) else { return popped };
        if here(&heap[child]) >= here(&heap[at]) {
            return popped;
        }
        heap.swap(at, child);
        at = child;
    }
}

/// Walks over samples.
trait Walk {
    fn next(&mut self) -> bool;
    /// Goes on to the first sample that is not before `time`; stays where it is if it is one.
    fn seek(&mut self, time: i64) -> bool;
    fn at(&self) -> &Sample;
}

struct Plain {
    samples: Vec<Sample>,
    /// One more than the place.
    read: usize,
}

impl Walk for Plain {
    fn next(&mut self) -> bool {
        self.read += usize::from(self.read <= self.samples.len());
        self.read <= self.samples.len()
    }

    fn seek(&mut self, time: i64) -> bool {
        while self.read == 0 || self.at().0 < time {
            if !self.next() {
                return false;
            }
        }
        true
    }

    fn at(&self) -> &Sample {
        &self.samples[self.read - 1]
    }
}

/// Two walks, of which one has the turn.
struct Pair {
    sides: [Box<dyn Walk>; 2],
    goes_on: [bool; 2],
    penalties: [i64; 2],
    turn: usize,
    last: Option<i64>,
}

impl Pair {
    fn new(mut sides: [Box<dyn Walk>; 2]) -> Self {
        let goes_on = [sides[0].next(), sides[1].next()];
        Pair { sides, goes_on, penalties: [0, 0], turn: 0, last: None }
    }

    fn pick(&mut self, side: usize) {
        self.turn = side;
        self.last = Some(self.sides[side].at().0);
    }
}

impl Walk for Pair {
    fn next(&mut self) -> bool {
        for side in 0..2 {
            if self.goes_on[side]
                && let Some(last) = self.last
            {
                self.goes_on[side] = self.sides[side].seek(last + 1 + self.penalties[side]);
            }
        }
        let side = match self.goes_on {
            [false, false] => return false,
            [true, true] => usize::from(self.sides[1].at().0 < self.sides[0].at().0),
            [first, _] => {
                let side = usize::from(!first);
                self.penalties[side] = 0;
                self.pick(side);
                return true;
            }
        };
        let time = self.sides[side].at().0;
        self.penalties[1 - side] = self.last.map_or(5_000, |last| 2 * (time - last));
        self.penalties[side] = 0;
        self.pick(side);
        true
    }

    fn seek(&mut self, time: i64) -> bool {
        while self.at().0 < time {
            if !self.next() {
                return false;
            }
        }
        true
    }

    fn at(&self) -> &Sample {
        self.sides[self.turn].at()
    }
}

fn nested(group: Vec<Chunk>) -> Vec<Sample> {
    let plain = |chunk: Chunk| -> Box<dyn Walk> { Box::new(Plain { samples: chunk.samples, read: 0 }) };
    let mut walk =
        group.into_iter().map(plain).reduce(|one, other| Box::new(Pair::new([one, other]))).unwrap();
    let mut out = Vec::new();
    while walk.next() {
        out.push(walk.at().clone());
    }
    out
}
