//! How the shards of a Prometheus group divide the targets: who owns which residue, and what moves when that changes.

mod table;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::topology::nodes::prometheus::Strategy;

/// Fewest slots of a table.
pub const SLOTS_MIN: u32 = 64;
/// Most slots of a table.
pub const SLOTS_MAX: u32 = 4096;
/// Slots where nothing is said.
pub const SLOTS_DEFAULT: u32 = 256;
/// Label that carries the hash between the two rules; Prometheus drops `__` labels after relabelling.
pub const HASH_LABEL: &str = "__tmp_hash";

/// Most residues that [`ShardPlan::moved`] walks through one by one.
const RESIDUES_MAX: u64 = 1 << 20;

/// Which shard scrapes what.
///
/// A target's residue is `hashmod(source labels, modulus)`; every residue belongs to exactly one shard. Slot tables
/// are nested: the table of n shards is the table of n-1 shards with slots handed to the new one, so it needs no state.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardPlan {
    count: u32,
    strategy: Strategy,
    /// Owner of each slot; empty for `hashmod`.
    owners: Vec<u32>,
}

impl ShardPlan {
    /// Plans `count` shards.
    ///
    /// `slots` and `weights` belong to the slot table only: `hashmod` has as many residues as shards. Slots are brought
    /// to a power of two from 64 to 4096; a missing weight is 1, one that is no finite number from 0 up counts as 1,
    /// and a shard of weight 0 owns nothing.
    pub fn new(count: u32, strategy: Strategy, slots: u32, weights: &[f64]) -> ShardPlan {
        let slots = slots.clamp(SLOTS_MIN, SLOTS_MAX).next_power_of_two();
        let owners = match strategy {
            Strategy::Slots => table::owners(count.clamp(1, slots), slots, weights),
            Strategy::Hashmod => Vec::new(),
        };
        let count = if owners.is_empty() { count.max(1) } else { count.clamp(1, slots) };
        ShardPlan { count, strategy, owners }
    }

    /// One shard that scrapes everything.
    pub fn single() -> ShardPlan {
        ShardPlan::new(1, Strategy::Slots, SLOTS_DEFAULT, &[])
    }

    /// Number of shards, at least 1.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How targets are divided.
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Whether there is anything to divide: one shard needs no rules.
    pub fn is_sharded(&self) -> bool {
        self.count > 1
    }

    /// Divisor of the `hashmod` rule.
    pub fn modulus(&self) -> u64 {
        if self.owners.is_empty() { u64::from(self.count) } else { self.owners.len() as u64 }
    }

    /// The shard that owns a residue; residues repeat after [`Self::modulus`].
    pub fn owner(&self, residue: u64) -> u32 {
        let residue = residue % self.modulus();
        self.owners.get(residue as usize).copied().unwrap_or(residue as u32)
    }

    /// The residues of a shard, ascending.
    pub fn residues(&self, shard: u32) -> Vec<u64> {
        (0..self.modulus()).filter(|residue| self.owner(*residue) == shard).collect()
    }

    /// The part of all residues that a shard owns, from 0 to 1.
    pub fn share(&self, shard: u32) -> f64 {
        self.residues(shard).len() as f64 / self.modulus() as f64
    }

    /// Expression of the `keep` rule of a shard: its residues as `0|5|17`. Prometheus anchors it.
    ///
    /// A shard without residues gets the empty expression, which no hash matches.
    pub fn keep_regex(&self, shard: u32) -> String {
        let mut out = String::new();
        for residue in self.residues(shard) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}{residue}", if out.is_empty() { "" } else { "|" });
        }
        out
    }

    /// The shard that a target is scraped by, from the values of its source labels joined with `;`.
    pub fn shard_of(&self, value: &str) -> u32 {
        self.owner(prom_model::hashmod(value, self.modulus()))
    }

    /// The part of all targets that another shard scrapes under the plan `to`, from 0 to 1.
    pub fn moved(from: &ShardPlan, to: &ShardPlan) -> f64 {
        let (a, b) = (from.modulus(), to.modulus());
        if from.owners.is_empty() && to.owners.is_empty() {
            // Both agree on the residues below the smaller modulus, once in each common multiple.
            return 1.0 - gcd(a, b) as f64 / a.max(b) as f64;
        }
        // The hash is uniform, so a long enough run of residues answers for all; a whole period answers exactly.
        let period = (a / gcd(a, b)).saturating_mul(b).min(RESIDUES_MAX);
        let moved = (0..period).filter(|residue| from.owner(*residue) != to.owner(*residue)).count();
        moved as f64 / period as f64
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}
