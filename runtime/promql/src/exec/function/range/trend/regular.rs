//! Sums for straight lines over ranges whose samples lie at the same places, as they do while scrapes are regular: what is summed up
//! of times alone is found once for all of them.

use prom_model::neumaier_add;

use super::super::lanes::{Four, Lanes, add_compensated};
use super::Sums;
use crate::control::Breaks;
use crate::exec::windows::Pace;

/// Fewer ranges are not worth it.
const STEPS_MIN: usize = 4;
/// Ranges that go side by side.
const LANES: usize = 4;

/// Gives `done` each step of a piece, its range and its sums; times count from `origin` at the first step and move with the steps. `false`, and
/// nothing done, where samples do not lie at the same places of all ranges, or are too few for a line. What is left when the query has to end is not evaluated.
pub(super) fn sums(
    piece: Pace,
    (times, values): (&[i64], &[f64]),
    origin: i64,
    breaks: &mut Breaks<'_>,
    mut done: impl FnMut(usize, (u32, u32), Sums),
) -> bool {
    let (from, to) = (piece.window.0 as usize, piece.window.1 as usize);
    let (Some(first), Some(values)) = (times.get(from..to), values.get(from..)) else { return false };
    if first.len() < 2 || piece.steps < STEPS_MIN || !is_regular(piece, times) {
        return false;
    }
    let seconds: Vec<f64> = first.iter().map(|time| time.wrapping_sub(origin) as f64 / 1e3).collect();
    let of_times = |number: fn(f64) -> f64| {
        seconds.iter().fold((0.0, 0.0), |(sum, lost), time| neumaier_add(number(*time), sum, lost))
    };
    let ((x, x_lost), (x2, x2_lost)) = (of_times(|time| time), of_times(|time| time * time));
    let range = |step: usize| {
        let start = step * piece.stride as usize;
        values.get(start..start + seconds.len()).unwrap_or(&[])
    };
    let (last, mut window) = (piece.steps - 1, piece.window);
    for step in (0..piece.steps).step_by(LANES) {
        if !breaks.goes_on(seconds.len() * LANES) {
            return true;
        }
        // Instead of steps behind the last one that one again: nobody asks for them.
        let ranges = [0, 1, 2, 3].map(|lane| range((step + lane).min(last)));
        let [y, y_lost, xy, xy_lost] = products(&seconds, ranges);
        for lane in 0..LANES.min(piece.steps - step) {
            let [y, y_lost, xy, xy_lost] = [y[lane], y_lost[lane], xy[lane], xy_lost[lane]];
            done(piece.step + step + lane, window, [x, x_lost, y, y_lost, xy, xy_lost, x2, x2_lost]);
            window = (window.0 + piece.stride, window.1 + piece.stride);
        }
    }
    true
}

/// Whether each sample is as far from the one that takes its place at the next step.
fn is_regular(piece: Pace, times: &[i64]) -> bool {
    let (from, to) = piece.all();
    let Some(times) = times.get(from as usize..to as usize) else { return false };
    let behind = times.get(piece.stride as usize..).unwrap_or(&[]);
    let mut moved = behind.iter().zip(times).map(|(next, time)| next.wrapping_sub(*time));
    moved.next().is_none_or(|first| moved.all(|moved| moved == first))
}

/// The sums of values and of their products with times, each with what it lost.
#[inline(always)]
fn products(seconds: &[f64], ranges: [&[f64]; LANES]) -> [[f64; LANES]; 4] {
    let [mut y, mut y_lost, mut xy, mut xy_lost] = [[0.0; LANES]; 4];
    for (time, values) in seconds.iter().zip(Four::side_by_side(ranges)) {
        add_compensated::<LANES, false>(values, &mut y, &mut y_lost);
        add_compensated::<LANES, false>(values.map(|value| time * value), &mut xy, &mut xy_lost);
    }
    [y, y_lost, xy, xy_lost]
}
