//! Which of several sorted inputs has the least head: a tree of losers, one comparison per level for each head that is taken.

/// A tournament between inputs that are told apart by their index.
///
/// The order is given with each call: `less(a, b)` says whether the head of input `a` comes before that of input `b`. Where
/// two are alike the lower index wins, so that the same inputs always give the same output.
#[derive(Debug, Clone)]
pub(super) struct LoserTree {
    /// Who lost the match at each inner node; the root is 1.
    losers: Vec<usize>,
    winner: usize,
}

impl LoserTree {
    /// Plays all matches between this many inputs.
    pub(super) fn new(inputs: usize, less: impl Fn(usize, usize) -> bool) -> Self {
        let mut losers = vec![0; inputs.max(1)];
        // Who came out of each node, leaves behind the inner nodes.
        let mut winners = vec![0; inputs.max(1) * 2];
        for input in 0..inputs {
            set(&mut winners, inputs + input, input);
        }
        for node in (1..inputs).rev() {
            let (one, two) = (get(&winners, node * 2), get(&winners, node * 2 + 1));
            let (winner, loser) = if before(two, one, &less) { (two, one) } else { (one, two) };
            set(&mut winners, node, winner);
            set(&mut losers, node, loser);
        }
        LoserTree { losers, winner: get(&winners, 1) }
    }

    /// The input with the least head.
    pub(super) fn winner(&self) -> usize {
        self.winner
    }

    /// Plays again after the winner's head has changed.
    pub(super) fn replay(&mut self, less: impl Fn(usize, usize) -> bool) {
        let mut winner = self.winner;
        let mut node = (winner + self.losers.len()) / 2;
        while node > 0 {
            let loser = get(&self.losers, node);
            if before(loser, winner, &less) {
                set(&mut self.losers, node, winner);
                winner = loser;
            }
            node /= 2;
        }
        self.winner = winner;
    }
}

fn before(one: usize, two: usize, less: impl Fn(usize, usize) -> bool) -> bool {
    less(one, two) || (one < two && !less(two, one))
}

fn get(list: &[usize], at: usize) -> usize {
    list.get(at).copied().unwrap_or(0)
}

fn set(list: &mut [usize], at: usize, value: usize) {
    if let Some(place) = list.get_mut(at) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes out of the tree: values with the input they came from.
    fn merged(inputs: &[Vec<u8>]) -> Vec<(u8, usize)> {
        let mut at = vec![0; inputs.len()];
        fn less<'a>(inputs: &'a [Vec<u8>], at: &'a [usize]) -> impl Fn(usize, usize) -> bool + 'a {
            |one, two| match (inputs[one].get(at[one]), inputs[two].get(at[two])) {
                (Some(one), Some(two)) => one < two,
                (one, _) => one.is_some(),
            }
        }
        let mut tree = LoserTree::new(inputs.len(), less(inputs, &at));
        let mut out = Vec::new();
        while let Some(value) = inputs.get(tree.winner()).and_then(|input| input.get(at[tree.winner()])) {
            out.push((*value, tree.winner()));
            at[tree.winner()] += 1;
            tree.replay(less(inputs, &at));
        }
        out
    }

    proptest! {
        #[test]
        fn values_come_in_order_and_equal_ones_in_the_order_of_their_inputs(
            mut inputs in prop::collection::vec(prop::collection::vec(0u8..20, 0..12), 1..9),
        ) {
            let mut expected = Vec::new();
            for (at, input) in inputs.iter_mut().enumerate() {
                input.sort_unstable();
                expected.extend(input.iter().map(|value| (*value, at)));
            }
            expected.sort_unstable();
            prop_assert_eq!(merged(&inputs), expected);
        }
    }
}
