//! How coarse the data may be that a query reads, and how far back its selectors look then.

/// The resolutions of downsampled blocks, milliseconds.
const LEVELS: [i64; 2] = [300_000, 3_600_000];

/// Functions that say nothing about fewer than two samples.
const NEEDS_TWO: [&str; 9] = [
    "rate",
    "irate",
    "increase",
    "delta",
    "idelta",
    "deriv",
    "predict_linear",
    "holt_winters",
    "double_exponential_smoothing",
];

/// The coarsest resolution, milliseconds, that a range query with this step, milliseconds, reads where it may choose.
pub const fn automatic(step: i64) -> i64 {
    step / 5
}

/// The coarsest resolution that a selector may read: what the query allows, and fine enough for two samples in the range where
/// the function around the selector needs them. All in milliseconds; a range of 0 is an instant selector.
pub fn for_selector(allowed: i64, range: i64, function: &str) -> i64 {
    if range > 0 && NEEDS_TWO.contains(&function) { allowed.min(range / 2) } else { allowed }
}

/// How far instant selectors look back, milliseconds, in a query that may read data of a resolution: at least the distance of
/// its samples. `configured` is `--query.lookback-delta`.
pub fn lookback(configured: i64, allowed: i64) -> i64 {
    let [fine, coarse] = LEVELS;
    if allowed > fine.max(configured) {
        configured.max(coarse)
    } else if allowed > configured.max(0) {
        configured.max(fine)
    } else {
        configured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn two_samples_fit_into_the_range_of_functions_that_need_them() {
        assert_eq!(for_selector(60 * MINUTE, 10 * MINUTE, "rate"), 5 * MINUTE);
        assert_eq!(for_selector(60 * MINUTE, 10 * MINUTE, "sum_over_time"), 60 * MINUTE);
        assert_eq!(for_selector(MINUTE, 10 * MINUTE, "rate"), MINUTE);
        assert_eq!(for_selector(60 * MINUTE, 0, ""), 60 * MINUTE);
    }

    #[test]
    fn looking_back_reaches_over_the_gaps_of_coarse_data() {
        for (configured, allowed, back) in [
            (5, 0, 5),
            (5, 5, 5),
            (5, 6, 60),
            (5, 60, 60),
            (3, 3, 3),
            (3, 4, 5),
            (3, 5, 5),
            (3, 6, 60),
            (10, 10, 10),
            (10, 11, 60),
            (90, 60, 90),
            (90, 95, 90),
        ] {
            assert_eq!(
                lookback(configured * MINUTE, allowed * MINUTE),
                back * MINUTE,
                "{configured} {allowed}"
            );
        }
    }
}
