//! Functions over histograms, native and classic.

pub(crate) mod classic;
pub(crate) mod fraction;
pub(crate) mod groups;
pub(crate) mod native;
pub(crate) mod numbers;
pub(crate) mod quantile;

pub(crate) use fraction::fraction;
pub(crate) use numbers::{Number, number};
pub(crate) use quantile::{Rows, quantile, quantiles};
