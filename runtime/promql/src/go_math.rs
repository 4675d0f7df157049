//! Elementary functions to the last bit of Go's package `math` on amd64, where they differ from those of a C library.
//!
//! Go computes them with polynomials of its own, so its results may differ from correctly rounded ones in the last place.

mod arctan;
mod exponential;
mod power;

pub(crate) use arctan::{atan, atan2};
pub(crate) use exponential::{exp, ln};
pub(crate) use power::pow;

#[cfg(test)]
mod tests;
