//! Start timestamps behind the samples of the encodings that have them (see `docs/chunks.md`, "Start timestamps").

use super::bits::BitReader;
use super::{ChunkError, varbit};

/// Reads one start timestamp per sample.
#[derive(Debug, Clone)]
pub(super) struct StartTimes {
    /// Whether that of the first sample is stored.
    first_is_known: bool,
    /// The position of the first sample whose start timestamp is not that of the one before; 0 if there is none.
    change_at: usize,
    difference: i64,
    current: i64,
}

impl StartTimes {
    pub(super) const fn new(header: u8) -> Self {
        StartTimes {
            first_is_known: header & 0x80 != 0,
            change_at: (header & 0x7f) as usize,
            difference: 0,
            current: 0,
        }
    }

    /// Whether anything is stored at all.
    pub(super) const fn are_known(&self) -> bool {
        self.first_is_known || self.change_at > 0
    }

    /// Reads that of the sample at `position`; `before` is the timestamp of the sample before it.
    #[inline]
    pub(super) fn read(
        &mut self,
        reader: &mut BitReader<'_>,
        position: usize,
        timestamp: i64,
        before: i64,
    ) -> Result<i64, ChunkError> {
        if position == 0 {
            if self.first_is_known {
                self.current = timestamp.wrapping_sub(reader.varint()?);
            }
        } else if self.change_at > 0 && position >= self.change_at {
            let stored = varbit::read_int(reader);
            self.difference =
                if position == self.change_at { stored } else { self.difference.wrapping_add(stored) };
            self.current = before.wrapping_sub(self.difference);
        }
        Ok(self.current)
    }
}
