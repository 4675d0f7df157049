//! The heap in which `topk` and its like keep their best: it decides which of equal values stay and in which order they come,
//! so it sifts as Go's `container/heap` does.

/// A value and the number of its series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) value: f64,
    pub(super) series: u32,
}

/// Which value is on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Top {
    /// The smallest, for `topk`, and for those that do not look at values.
    Smallest,
    /// The largest, for `bottomk`.
    Largest,
}

impl Top {
    /// Whether `a` lies above `b`; NaN lies above all.
    fn above(self, a: f64, b: f64) -> bool {
        a.is_nan() || if self == Top::Smallest { a < b } else { a > b }
    }
}

/// Adds an entry.
pub(super) fn push(heap: &mut Vec<Entry>, entry: Entry, top: Top) {
    heap.push(entry);
    let mut at = heap.len() - 1;
    while at > 0 {
        let parent = (at - 1) / 2;
        if !is_above(heap, at, parent, top) {
            break;
        }
        heap.swap(parent, at);
        at = parent;
    }
}

/// Puts an entry in place of the one on top.
pub(super) fn replace_top(heap: &mut [Entry], entry: Entry, top: Top) {
    let Some(first) = heap.first_mut() else { return };
    *first = entry;
    let mut at = 0;
    loop {
        let left = 2 * at + 1;
        if left >= heap.len() {
            return;
        }
        let right = left + 1;
        let child = if right < heap.len() && is_above(heap, right, left, top) { right } else { left };
        if !is_above(heap, child, at, top) {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

/// Sorts the best first.
pub(super) fn best_first(heap: &mut [Entry], top: Top) {
    // Up to 12 entries Go sorts by insertion, which keeps equal ones in place.
    if heap.len() <= 12 {
        for end in 1..heap.len() {
            let mut at = end;
            while at > 0 && is_above(heap, at - 1, at, top) {
                heap.swap(at - 1, at);
                at -= 1;
            }
        }
        return;
    }
    heap.sort_by(|a, b| match (a.value.is_nan(), b.value.is_nan()) {
        (false, false) => {
            let order = a.value.partial_cmp(&b.value).unwrap_or(std::cmp::Ordering::Equal);
            if top == Top::Smallest { order.reverse() } else { order }
        }
        (a, b) => a.cmp(&b),
    });
}

fn is_above(heap: &[Entry], a: usize, b: usize, top: Top) -> bool {
    match (heap.get(a), heap.get(b)) {
        (Some(a), Some(b)) => top.above(a.value, b.value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_stay_in_the_order_that_sifting_leaves() {
        let mut heap = Vec::new();
        for (series, value) in [3.0, 1.0, 2.0].into_iter().enumerate() {
            push(&mut heap, Entry { value, series: series as u32 }, Top::Smallest);
        }
        replace_top(&mut heap, Entry { value: 3.0, series: 3 }, Top::Smallest);
        best_first(&mut heap, Top::Smallest);
        let order: Vec<(f64, u32)> = heap.iter().map(|entry| (entry.value, entry.series)).collect();
        assert_eq!(order, [(3.0, 0), (3.0, 3), (2.0, 2)]);
    }
}
