//! How often a bucket as a whole may be tried again, so that an outage is not made worse.

/// Further tries that each operation brings along.
const PER_OPERATION: u32 = 2;
/// Tries that may be saved up: enough for a burst of failures, too few for an outage.
const MOST: u32 = 100;
/// What there is at the start.
const AT_START: u32 = 10;

/// Tries that are left.
#[derive(Debug)]
pub(super) struct Budget(u32);

impl Default for Budget {
    fn default() -> Self {
        Budget(AT_START)
    }
}

impl Budget {
    /// An operation begins.
    pub(super) const fn earn(&mut self) {
        let left = self.0 + PER_OPERATION;
        self.0 = if left > MOST { MOST } else { left };
    }

    /// Takes one try, if there is one.
    pub(super) const fn spend(&mut self) -> bool {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}
