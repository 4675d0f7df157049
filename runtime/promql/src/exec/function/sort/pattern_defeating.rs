//! An unstable sort that leaves equal elements in the order in which Go leaves them.
//!
//! Prometheus sorts with Go's pattern-defeating quicksort, and among equal values the order of an answer is what that
//! happens to give. The same pivots, swaps and limits give the same order, even where the comparison is no order at all.

/// Up to so many elements are sorted by insertion.
const INSERTION_MAX: usize = 12;
/// From so many elements on, pivots are medians of medians, and elements out of place are shifted.
const LONG: usize = 50;

/// Sorts by a comparison that says whether one element comes before another.
pub(crate) fn sort_by_less<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let bad_pivots = usize::BITS - items.len().leading_zeros();
    let mut sorter = Sorter { less, items };
    let end = sorter.items.len();
    sorter.sort(0, end, bad_pivots);
}

struct Sorter<'s, T, F> {
    items: &'s mut [T],
    less: F,
}

/// What three, or nine, elements tell of the order of all.
#[derive(PartialEq, Eq)]
enum Hint {
    Rising,
    Falling,
    None,
}

impl<T, F: Fn(&T, &T) -> bool> Sorter<'_, T, F> {
    fn less(&self, a: usize, b: usize) -> bool {
        matches!((self.items.get(a), self.items.get(b)), (Some(a), Some(b)) if (self.less)(a, b))
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.items.swap(a, b);
    }

    fn sort(&mut self, mut start: usize, mut end: usize, mut bad_pivots: u32) {
        let (mut balanced, mut partitioned) = (true, true);
        loop {
            let length = end - start;
            if length <= INSERTION_MAX {
                return self.insert(start, end);
            }
            if bad_pivots == 0 {
                return self.heap_sort(start, end);
            }
            if !balanced {
                self.scatter(start, length);
                bad_pivots -= 1;
            }
            let (mut pivot, mut hint) = self.pivot(start, length);
            if hint == Hint::Falling {
                if let Some(part) = self.items.get_mut(start..end) {
                    part.reverse();
                }
                pivot = (end - 1) - (pivot - start);
                hint = Hint::Rising;
            }
            if balanced && partitioned && hint == Hint::Rising && self.nearly_sorted(start, end) {
                return;
            }
            if start > 0 && !self.less(start - 1, pivot) {
                start = self.split_off_equals(start, end, pivot);
                continue;
            }
            let middle;
            (middle, partitioned) = self.partition(start, end, pivot);
            let (left, right) = (middle - start, end - middle);
            balanced = left.min(right) >= length / 8;
            if left < right {
                self.sort(start, middle, bad_pivots);
                start = middle + 1;
            } else {
                self.sort(middle + 1, end, bad_pivots);
                end = middle;
            }
        }
    }

    fn insert(&mut self, start: usize, end: usize) {
        for next in start + 1..end {
            let mut at = next;
            while at > start && self.less(at, at - 1) {
                self.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn heap_sort(&mut self, start: usize, end: usize) {
        let length = end - start;
        for root in (0..=(length - 1) / 2).rev() {
            self.sift_down(start, root, length);
        }
        for last in (0..length).rev() {
            self.swap(start, start + last);
            self.sift_down(start, 0, last);
        }
    }

    fn sift_down(&mut self, start: usize, mut root: usize, length: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= length {
                return;
            }
            if child + 1 < length && self.less(start + child, start + child + 1) {
                child += 1;
            }
            if !self.less(start + root, start + child) {
                return;
            }
            self.swap(start + root, start + child);
            root = child;
        }
    }

    /// Breaks a pattern that made for bad pivots: puts three elements of the middle at places that only look like chance.
    fn scatter(&mut self, start: usize, length: usize) {
        let mut chance = length as u64;
        let mask = (1u64 << (u64::BITS - chance.leading_zeros())) - 1;
        let middle = start + length / 4 * 2;
        for at in middle - 1..=middle + 1 {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            let other = (chance & mask) as usize;
            self.swap(at, start + if other >= length { other - length } else { other });
        }
    }

    fn pivot(&self, start: usize, length: usize) -> (usize, Hint) {
        let mut swaps = 0;
        let mut quarters = [1, 2, 3].map(|quarter| start + length / 4 * quarter);
        if length >= LONG {
            quarters = quarters.map(|at| self.median([at - 1, at, at + 1], &mut swaps));
        }
        let pivot = self.median(quarters, &mut swaps);
        let hint = match swaps {
            0 => Hint::Rising,
            12 => Hint::Falling,
            _ => Hint::None,
        };
        (pivot, hint)
    }

    fn median(&self, [mut a, mut b, mut c]: [usize; 3], swaps: &mut u32) -> usize {
        let mut order = |left: &mut usize, right: &mut usize| {
            if self.less(*right, *left) {
                *swaps += 1;
                std::mem::swap(left, right);
            }
        };
        order(&mut a, &mut b);
        order(&mut b, &mut c);
        order(&mut a, &mut b);
        b
    }

    /// Moves up to five elements that are out of place; whether all is sorted then.
    fn nearly_sorted(&mut self, start: usize, end: usize) -> bool {
        let mut at = start + 1;
        for _ in 0..5 {
            while at < end && !self.less(at, at - 1) {
                at += 1;
            }
            if at == end {
                return true;
            }
            if end - start < LONG {
                return false;
            }
            self.swap(at, at - 1);
            if at - start >= 2 {
                let mut down = at - 1;
                while down >= 1 && self.less(down, down - 1) {
                    self.swap(down, down - 1);
                    down -= 1;
                }
            }
            if end - at >= 2 {
                let mut up = at + 1;
                while up < end && self.less(up, up - 1) {
                    self.swap(up, up - 1);
                    up += 1;
                }
            }
        }
        false
    }

    /// Moves what is less than the pivot before it; gives its new place, and whether all stood right already.
    fn partition(&mut self, start: usize, end: usize, pivot: usize) -> (usize, bool) {
        self.swap(start, pivot);
        let (mut left, mut right) = (start + 1, end - 1);
        let mut swapped = false;
        loop {
            while left <= right && self.less(left, start) {
                left += 1;
            }
            while left <= right && !self.less(right, start) {
                right -= 1;
            }
            if left > right {
                break;
            }
            self.swap(left, right);
            swapped = true;
            left += 1;
            right -= 1;
        }
        self.swap(right, start);
        (right, !swapped)
    }

    /// Where nothing is less than the pivot: moves what is equal to it before all else; gives where the rest begins.
    fn split_off_equals(&mut self, start: usize, end: usize, pivot: usize) -> usize {
        self.swap(start, pivot);
        let (mut left, mut right) = (start + 1, end - 1);
        loop {
            while left <= right && !self.less(start, left) {
                left += 1;
            }
            while left <= right && self.less(start, right) {
                right -= 1;
            }
            if left > right {
                return left;
            }
            self.swap(left, right);
            left += 1;
            right -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sort_by_less;

    /// Numbers that look like chance, below `below`.
    fn numbers(count: usize, below: u64) -> Vec<(u64, usize)> {
        let mut state = 88_172_645_463_325_252u64;
        let next = |at| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % below, at)
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn whatever_the_input_the_output_is_sorted() {
        for count in [0, 1, 5, 13, 49, 50, 51, 200, 5000] {
            for below in [1, 3, 100, 1 << 30] {
                let mut items = numbers(count, below);
                let mut expected: Vec<u64> = items.iter().map(|(value, _)| *value).collect();
                expected.sort_unstable();
                sort_by_less(&mut items, |a, b| a.0 < b.0);
                assert!(items.iter().map(|(value, _)| *value).eq(expected), "{count} below {below}");
                items.reverse();
                sort_by_less(&mut items, |a, b| a.0 < b.0);
                assert!(items.is_sorted_by(|a, b| a.0 <= b.0));
            }
        }
    }

    #[test]
    fn a_comparison_that_is_no_order_does_no_harm() {
        let mut items = numbers(1000, 7);
        sort_by_less(&mut items, |_, _| true);
        sort_by_less(&mut items, |a, b| a.1 % 2 == 0 || a.0 > b.0);
        assert_eq!(items.len(), 1000);
    }

    #[test]
    fn equal_elements_come_out_as_gos_do() {
        let mut items: Vec<(u64, usize)> = (0..60).map(|at| ((at * 7 % 5) as u64, at)).collect();
        sort_by_less(&mut items, |a, b| a.0 < b.0);
        let order: Vec<usize> = items.iter().map(|(_, at)| *at).collect();
        assert_eq!(order, GO_ORDER);
    }

    const GO_ORDER: [usize; 60] = [
        40, 25, 55, 30, 20, 5, 0, 10, 15, 45, 35, 50, 58, 13, 38, 8, 48, 33, 18, 43, 53, 3, 28, 23, 31, 36,
        26, 1, 56, 51, 21, 6, 46, 11, 41, 16, 49, 24, 14, 39, 59, 34, 54, 4, 44, 9, 29, 19, 47, 7, 37, 32,
        52, 17, 42, 2, 22, 57, 27, 12,
    ];
}
