//! The nested slot table: shard n takes from its predecessors what it is due, and nothing else changes hands.

/// Owner of each slot for `count` shards.
pub(super) fn owners(count: u32, slots: u32, weights: &[f64]) -> Vec<u32> {
    let weights = clean(count, weights);
    let mut holdings: Vec<Vec<u32>> = Vec::with_capacity(weights.len());
    let mut total = 0.0;
    for (newcomer, weight) in weights.iter().enumerate() {
        total += weight;
        holdings.push(if newcomer == 0 { (0..slots).collect() } else { Vec::new() });
        if newcomer == 0 || total <= 0.0 {
            // As long as all weights are 0, the first shard keeps everything until another may take it.
            continue;
        }
        let due = |shard: usize| f64::from(slots) * weights[shard] / total;
        let wanted = if is_even(&weights[..=newcomer]) {
            slots as usize / holdings.len()
        } else {
            due(newcomer).round() as usize
        };
        while holdings[newcomer].len() < wanted {
            let Some(donor) = most_above(&holdings[..newcomer], due) else { break };
            // From the middle, so that what is handed over comes from all over the table.
            let middle = holdings[donor].len() / 2;
            let slot = holdings[donor].remove(middle);
            holdings[newcomer].push(slot);
        }
        holdings[newcomer].sort_unstable();
    }
    let mut owners = vec![0_u32; slots as usize];
    for (shard, slots) in (0_u32..).zip(&holdings) {
        for slot in slots {
            owners[*slot as usize] = shard;
        }
    }
    owners
}

/// Weights for all shards, each finite and not negative, not all of them zero.
fn clean(count: u32, weights: &[f64]) -> Vec<f64> {
    let weight =
        |shard: usize| weights.get(shard).copied().filter(|w| w.is_finite() && *w >= 0.0).unwrap_or(1.0);
    let clean: Vec<f64> = (0..count as usize).map(weight).collect();
    let largest = clean.iter().copied().fold(0.0, f64::max);
    if largest <= 0.0 {
        return vec![1.0; clean.len()];
    }
    // Relative to the largest, so that sums stay finite.
    clean.iter().map(|weight| weight / largest).collect()
}

fn is_even(weights: &[f64]) -> bool {
    weights.windows(2).all(|pair| pair[0] == pair[1])
}

/// The shard that has the most slots beyond its due; the first of several.
fn most_above(holdings: &[Vec<u32>], due: impl Fn(usize) -> f64) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (shard, slots) in holdings.iter().enumerate().filter(|(_, slots)| !slots.is_empty()) {
        let above = slots.len() as f64 - due(shard);
        if best.is_none_or(|(_, most)| above > most) {
            best = Some((shard, above));
        }
    }
    best.map(|(shard, _)| shard)
}
