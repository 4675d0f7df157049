//! The verdicts of `prom-config`: case by case, on files that the compiler renders, and against `promtool` itself.
#![expect(
    clippy::disallowed_methods,
    reason = "tests read files and variables, measure time and ask promtool"
)]

mod suite;
