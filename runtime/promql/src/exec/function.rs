//! The functions of PromQL, one file per family.

pub(crate) mod range;
