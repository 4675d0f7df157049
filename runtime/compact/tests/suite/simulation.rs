//! Everything that can happen to compactors in an order that a seed decides: what they promise must hold in each of them.
//!
//! `PRONOIA_SCHEDULES` says how many seeds each module tries, `PRONOIA_SEED` with which one it begins; a failure names its seed.

mod blocks;
mod compactors;
mod leases;
mod retention;
mod single;
mod turns;
mod watch;

/// How many seeds are tried, and the first of them.
#[expect(clippy::disallowed_methods, reason = "how much is tried is said from outside")]
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
    };
    let first = number("PRONOIA_SEED", 1);
    first..first + number("PRONOIA_SCHEDULES", usual)
}
