//! Several ranges at once. Inside a range one addition waits for the one before, and their order must stay; those of neighbouring
//! ranges do not wait for each other.

use std::array::from_fn;

use prom_model::neumaier_add;

use crate::control::{Breaks, Control};

/// How many ranges go side by side.
pub(super) trait Lanes<const N: usize> {
    /// The first samples of each range, the second ones, and so on to the end of the shortest.
    fn side_by_side<S: Copy>(ranges: [&[S]; N]) -> impl Iterator<Item = [S; N]>;
}

/// Where more would not find room in registers.
pub(super) struct Two;

impl Lanes<2> for Two {
    #[inline(always)]
    fn side_by_side<S: Copy>([one, two]: [&[S]; 2]) -> impl Iterator<Item = [S; 2]> {
        one.iter().zip(two).map(|(one, two)| [*one, *two])
    }
}

/// Where a sample needs few numbers.
pub(super) struct Four;

impl Lanes<4> for Four {
    #[inline(always)]
    fn side_by_side<S: Copy>([one, two, three, four]: [&[S]; 4]) -> impl Iterator<Item = [S; 4]> {
        // Not by index: the compiler would look at the bounds of each.
        let all = one.iter().zip(two).zip(three).zip(four);
        all.map(|(((one, two), three), four)| [*one, *two, *three, *four])
    }
}

/// Where a sample needs few numbers, or each has to wait long for the one before.
pub(super) struct Eight;

impl Lanes<8> for Eight {
    #[inline(always)]
    fn side_by_side<S: Copy>([a, b, c, d, e, f, g, h]: [&[S]; 8]) -> impl Iterator<Item = [S; 8]> {
        let both = Four::side_by_side([a, b, c, d]).zip(Four::side_by_side([e, f, g, h]));
        both.map(|([a, b, c, d], [e, f, g, h])| [a, b, c, d, e, f, g, h])
    }
}

/// What is kept of a range while its samples go by: some numbers, 0 at first. Each number is there once per lane.
pub(super) trait Running<const NUMBERS: usize> {
    /// What a sample is.
    type Sample: Copy;
    /// What is known of a range beside its samples.
    type Context: Copy;

    /// Takes in a sample of each lane, the `count`th of its range. If not `CAREFUL`, some number must stay infinite or NaN after any
    /// overflow.
    fn add<const N: usize, const CAREFUL: bool>(
        numbers: &mut [[f64; N]; NUMBERS],
        contexts: &[Self::Context; N],
        count: f64,
        samples: [Self::Sample; N],
    );
}

/// A step and the samples in its range.
type Range<'a, S> = (usize, &'a [S]);

/// Adds a value to a compensated sum in each lane, to the bit as `neumaier_add` does in one.
#[inline(always)]
pub(super) fn add_compensated<const N: usize, const CAREFUL: bool>(
    values: [f64; N],
    sums: &mut [f64; N],
    lost: &mut [f64; N],
) {
    if CAREFUL {
        for lane in 0..N {
            (sums[lane], lost[lane]) = neumaier_add(values[lane], sums[lane], lost[lane]);
        }
        return;
    }
    // What rounding took is a number without rounding, so there are several ways to it; this one needs no comparison.
    let totals: [f64; N] = from_fn(|lane| sums[lane] + values[lane]);
    let added: [f64; N] = from_fn(|lane| totals[lane] - sums[lane]);
    let of_sum: [f64; N] = from_fn(|lane| sums[lane] - (totals[lane] - added[lane]));
    let of_value: [f64; N] = from_fn(|lane| values[lane] - added[lane]);
    *lost = from_fn(|lane| lost[lane] + (of_sum[lane] + of_value[lane]));
    *sums = totals;
}

/// Lets the samples of each range that has some go by, `LANES` ranges at a time; gives `done` the step, the samples and the numbers.
/// Ranges with infinite numbers or NaN are evaluated once more, with care. What is left when the query has to end is not evaluated.
pub(super) fn each_range<R: Running<NUMBERS>, L: Lanes<LANES>, const NUMBERS: usize, const LANES: usize>(
    control: &Control,
    windows: &[(u32, u32)],
    samples: &[R::Sample],
    context: impl Fn(usize) -> R::Context,
    mut done: impl FnMut(usize, &[R::Sample], [f64; NUMBERS]),
) {
    let mut ranges = windows.iter().enumerate().filter_map(|(step, &(from, to))| {
        let range = samples.get(from as usize..to as usize)?;
        (!range.is_empty()).then_some((step, range))
    });
    let mut finish = |step: usize, range: &[R::Sample], numbers: [f64; NUMBERS], context: R::Context| {
        let finite = numbers.iter().all(|number| number.is_finite());
        done(step, range, if finite { numbers } else { careful::<R, NUMBERS>(range, context) });
    };
    let mut breaks = Breaks::new(control);
    loop {
        let next: [Option<Range<'_, R::Sample>>; LANES] = from_fn(|_| ranges.next());
        if next.last().is_none_or(Option::is_none) {
            for (step, range) in next.into_iter().flatten() {
                let context = context(step);
                let numbers = rest::<R, NUMBERS, false>([[0.0]; NUMBERS], 0.0, range, context);
                finish(step, range, numbers, context);
            }
            return;
        }
        let group = next.map(|range| range.unwrap_or((0, &[])));
        let shortest = group.iter().map(|(_, range)| range.len()).min().unwrap_or(0);
        if !breaks.goes_on(shortest * LANES) {
            return;
        }
        let contexts = group.map(|(step, _)| context(step));
        let mut numbers = [[0.0; LANES]; NUMBERS];
        let mut count = 0.0;
        for samples in L::side_by_side(group.map(|(_, range)| range)) {
            count += 1.0;
            R::add::<LANES, false>(&mut numbers, &contexts, count, samples);
        }
        for (lane, ((step, range), context)) in group.into_iter().zip(contexts).enumerate() {
            let own = from_fn(|number| [numbers[number][lane]]);
            let behind = range.get(shortest..).unwrap_or(&[]);
            let numbers = rest::<R, NUMBERS, false>(own, count, behind, context);
            finish(step, range, numbers, context);
        }
    }
}

/// The numbers of a range whose sums may overflow or are no numbers.
pub(super) fn careful<R: Running<NUMBERS>, const NUMBERS: usize>(
    range: &[R::Sample],
    context: R::Context,
) -> [f64; NUMBERS] {
    rest::<R, NUMBERS, true>([[0.0]; NUMBERS], 0.0, range, context)
}

/// The end of a range that is longer than its neighbours, or all of it.
fn rest<R: Running<NUMBERS>, const NUMBERS: usize, const CAREFUL: bool>(
    mut numbers: [[f64; 1]; NUMBERS],
    mut count: f64,
    samples: &[R::Sample],
    context: R::Context,
) -> [f64; NUMBERS] {
    for sample in samples {
        count += 1.0;
        R::add::<1, CAREFUL>(&mut numbers, &[context], count, [*sample]);
    }
    numbers.map(|[number]| number)
}
