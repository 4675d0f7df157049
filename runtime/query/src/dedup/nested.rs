//! Thanos' penalty algorithm for counters of three and more replicas.
//!
//! Where a counter passes from one replica to another, values are lifted so that it does not fall, and those of all replicas
//! below too. So the pairs cannot be merged one after another; they step together, each pair on the one before it.

use super::PieceError;
use super::column::Column;
use super::replica::{Decoder, Replica};

/// The most replicas that step together. With more, pairs are merged one after another: where the turn passes on, only the pair
/// itself is lifted.
pub(super) const DEPTH_MAX: usize = 64;

const INITIAL_PENALTY_MS: i64 = 5000;

/// A replica at one of its rows.
#[derive(Debug)]
struct Leaf {
    column: Column,
    row: usize,
    add: f64,
}

/// What comes out of the pair before, and one more replica.
#[derive(Debug)]
struct Pair {
    below: Node,
    leaf: Node,
    /// Whether below and leaf have a sample.
    here: [bool; 2],
    penalties: [i64; 2],
    last: Option<i64>,
    leaf_has: bool,
}

#[derive(Debug)]
enum Node {
    Leaf(Leaf),
    Pair(Box<Pair>),
}

/// Merges replicas whose samples are counters.
pub(super) fn fold(
    replicas: &mut [Replica<'_>],
    mut out: Column,
    decoder: &mut Decoder,
) -> Result<Column, PieceError> {
    out.clear();
    let mut node: Option<Node> = None;
    for replica in replicas {
        replica.decode_all(decoder)?;
        let leaf = Node::Leaf(Leaf { column: replica.take_column(), row: 0, add: 0.0 });
        node = Some(match node {
            None => leaf,
            Some(below) => Node::Pair(Box::new(Pair::new(below, leaf))),
        });
    }
    let Some(Node::Pair(mut pair)) = node else { return Ok(out) };
    while pair.advance() {
        pair.emit(&mut out);
    }
    Ok(out)
}

impl Node {
    fn begin(&mut self) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.row < leaf.column.len(),
            Node::Pair(pair) => pair.advance(),
        }
    }

    /// Goes to the first sample that is not earlier than `time`; `false` where there is none.
    fn seek(&mut self, time: i64) -> bool {
        match self {
            Node::Leaf(leaf) => {
                leaf.row = leaf.column.seek(leaf.row, time);
                leaf.row < leaf.column.len()
            }
            Node::Pair(pair) => {
                while pair.time() < time {
                    if !pair.advance() {
                        return false;
                    }
                }
                true
            }
        }
    }

    fn time(&self) -> i64 {
        match self {
            Node::Leaf(leaf) => leaf.column.time(leaf.row),
            Node::Pair(pair) => pair.time(),
        }
    }

    /// The value here, where it is a float.
    fn value(&self) -> Option<f64> {
        match self {
            Node::Leaf(leaf) => leaf.column.float(leaf.row).map(|value| value + leaf.add),
            Node::Pair(pair) => pair.picked().value(),
        }
    }

    fn adjust(&mut self, last: f64) {
        match self {
            Node::Leaf(leaf) => {
                if let Some(value) = leaf.column.float(leaf.row).map(|value| value + leaf.add)
                    && last > value
                {
                    leaf.add += last - value;
                }
            }
            Node::Pair(pair) => pair.adjust(last),
        }
    }

    fn emit(&self, out: &mut Column) {
        match self {
            Node::Leaf(leaf) => out.append(&leaf.column, leaf.row..leaf.row + 1, Some(leaf.add)),
            Node::Pair(pair) => pair.emit(out),
        }
    }
}

impl Pair {
    fn new(mut below: Node, mut leaf: Node) -> Self {
        let here = [below.begin(), leaf.begin()];
        Pair { below, leaf, here, penalties: [0; 2], last: None, leaf_has: false }
    }

    fn picked(&self) -> &Node {
        if self.leaf_has { &self.leaf } else { &self.below }
    }

    fn time(&self) -> i64 {
        self.picked().time()
    }

    fn emit(&self, out: &mut Column) {
        self.picked().emit(out);
    }

    fn adjust(&mut self, last: f64) {
        let [below, leaf] = self.here;
        if below && self.below.value().is_some() {
            self.below.adjust(last);
        }
        if leaf && self.leaf.value().is_some() {
            self.leaf.adjust(last);
        }
    }

    /// Goes to the next sample; `false` behind the last.
    fn advance(&mut self) -> bool {
        let had = if self.leaf_has { self.here[1] } else { self.here[0] };
        let last_value = if had { self.picked().value() } else { None };
        let after = self.last.map_or(i64::MIN, |last| last.saturating_add(1));
        let [below, leaf] = &mut self.here;
        let [below_penalty, leaf_penalty] = self.penalties;
        *below = *below && self.below.seek(after.saturating_add(below_penalty));
        *leaf = *leaf && self.leaf.seek(after.saturating_add(leaf_penalty));
        let picks_leaf = match self.here {
            [_, false] => false,
            [false, true] => true,
            [true, true] => self.leaf.time() < self.below.time(),
        };
        let switched = picks_leaf != self.leaf_has;
        self.leaf_has = picks_leaf;
        if self.here == [false, false] {
            return false;
        }
        let time = self.time();
        if self.here == [true, true] {
            let penalty =
                self.last.map_or(INITIAL_PENALTY_MS, |last| time.saturating_sub(last).saturating_mul(2));
            self.penalties = if picks_leaf { [penalty, 0] } else { [0, penalty] };
        } else {
            self.penalties = [0, 0];
        }
        self.last = Some(time);
        if switched && let Some(last) = last_value {
            self.adjust(last);
        }
        true
    }
}
