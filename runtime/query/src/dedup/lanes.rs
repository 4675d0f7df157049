//! Chunks whose times overlap cannot be of one replica: which chunk goes to which.

use crate::Piece;

/// Of each piece, which replica it is counted to.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    of_pieces: Vec<u32>,
    ends: Vec<i64>,
    count: u32,
}

impl Lanes {
    /// Puts each piece to the first replica whose pieces all end before it begins.
    pub(super) fn split(&mut self, pieces: &[Piece<'_>]) {
        self.clear();
        for piece in pieces {
            let free = self.ends.iter().position(|end| *end < piece.min_time);
            let lane = free.unwrap_or(self.ends.len());
            match self.ends.get_mut(lane) {
                Some(end) => *end = piece.max_time,
                None => self.ends.push(piece.max_time),
            }
            self.of_pieces.push(lane as u32);
        }
        self.count = self.ends.len() as u32;
    }

    /// Puts all pieces to one replica.
    pub(super) fn together(&mut self, pieces: usize) {
        self.clear();
        self.of_pieces.resize(pieces, 0);
        self.count = u32::from(pieces > 0);
    }

    pub(super) fn clear(&mut self) {
        self.of_pieces.clear();
        self.ends.clear();
        self.count = 0;
    }

    /// How many replicas there are.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// The replica of each piece.
    pub(super) fn of_pieces(&self) -> &[u32] {
        &self.of_pieces
    }
}
