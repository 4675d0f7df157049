//! What is claimed: a name, or the windows of time of a group.

use serde::{Deserialize, Serialize};

/// The width of a window. Jobs that touch a common window of a group exclude each other; it is the range of the blocks of the
/// second highest level, so up to it each new block has its window for itself.
pub const WINDOW_MS: i64 = 48 * 3_600_000;

/// More windows than one job claims: over ten times the range of the highest level.
const WINDOWS_MAX: i64 = 100;

/// What a job needs for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Folders below that of all leases, in the order in which they are claimed.
    pub(super) keys: Vec<String>,
    words: String,
}

/// A range of time that touches more windows than are claimed at once: no block that a compactor makes is so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{from}..{to} ms are more than {WINDOWS_MAX} windows of {WINDOW_MS} ms")]
pub struct TooWide {
    /// The start.
    pub from: i64,
    /// The end.
    pub to: i64,
}

impl Claim {
    /// A range of time of a group, `min_time..max_time` in milliseconds. The group is one of
    /// [`group_key`](block::group_key)'s, or a job that is not to meet others of the same group.
    ///
    /// # Errors
    /// [`TooWide`].
    pub fn range(group: &str, min_time: i64, max_time: i64) -> Result<Self, TooWide> {
        let first = min_time.div_euclid(WINDOW_MS);
        let last = max_time.saturating_sub(1).max(min_time).div_euclid(WINDOW_MS);
        if last.saturating_sub(first) >= WINDOWS_MAX {
            return Err(TooWide { from: min_time, to: max_time });
        }
        let group = part(group);
        let keys = (first..=last).map(|window| format!("{group}/{}", window.saturating_mul(WINDOW_MS)));
        Ok(Claim { keys: keys.collect(), words: format!("{group}/{min_time}..{max_time}") })
    }

    /// A name for something of which there is one in the bucket, such as the deletion of blocks.
    pub fn whole(name: &str) -> Self {
        let name = part(name);
        Claim { keys: vec![format!("{name}/all")], words: name }
    }

    /// One key, as it stands in a bucket.
    pub(super) fn of_key(key: &str) -> Self {
        Claim { keys: vec![key.to_owned()], words: key.to_owned() }
    }

    /// The claim in words, as in `0@11614692258474290969/0..7200000`.
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// One part of the name of an object.
fn part(name: &str) -> String {
    let kept = |char: char| if char.is_ascii_alphanumeric() || "@-_".contains(char) { char } else { '_' };
    let name: String = name.chars().map(kept).take(200).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

/// By which right a block was made; stands in its meta.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// What was claimed, in words.
    pub claim: String,
    /// The highest generation among the leases of the claim: one more than that of whoever had slept over it before.
    pub generation: u64,
    /// Who had it.
    pub instance: String,
    /// Since when, in milliseconds by the store's clock.
    pub since: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_share_a_window_share_a_key() {
        let keys = |from: i64, to: i64| Claim::range("0@7", from, to).unwrap().keys;
        assert_eq!(keys(0, 1), ["0@7/0"]);
        assert_eq!(keys(0, WINDOW_MS), ["0@7/0"]);
        assert_eq!(keys(-1, WINDOW_MS + 1), ["0@7/-172800000", "0@7/0", "0@7/172800000"]);
        assert_eq!(keys(5, 5), ["0@7/0"]);
        assert_eq!(keys(i64::MAX, i64::MAX).len(), 1);
        assert!(Claim::range("0@7", 0, i64::MAX).is_err());
        assert!(Claim::range("0@7", i64::MIN, i64::MAX).is_err());
        assert_eq!(Claim::whole("../delete").keys, ["___delete/all"]);
    }
}
