//! The ranges of time that blocks grow through.

const HOUR_MS: i64 = 3_600_000;

/// Thanos' ranges: a block of Prometheus has two hours, the largest has two weeks.
const RANGES_MS: [i64; 5] = [HOUR_MS, 2 * HOUR_MS, 8 * HOUR_MS, 48 * HOUR_MS, 336 * HOUR_MS];

/// The ranges that blocks are compacted to, smallest first; `--debug.max-compaction-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels(&'static [i64]);

/// A level that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("level is bigger then default set of {}", RANGES_MS.len())]
pub struct LevelError;

impl Levels {
    /// The highest level.
    pub const MAX: usize = RANGES_MS.len() - 1;

    /// The levels up to this one, which has the number 0 for one hour and [`Levels::MAX`] for two weeks.
    ///
    /// # Errors
    /// [`LevelError`], with Thanos' words.
    pub fn up_to(level: usize) -> Result<Self, LevelError> {
        RANGES_MS.get(..=level).map(Levels).ok_or(LevelError)
    }

    /// The ranges in milliseconds, smallest first; never empty.
    pub const fn ranges_ms(self) -> &'static [i64] {
        self.0
    }
}

impl Default for Levels {
    /// All of them.
    fn default() -> Self {
        Levels(&RANGES_MS)
    }
}
