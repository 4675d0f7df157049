//! The functions of PromQL, one file per family.

pub(crate) mod absent;
pub(crate) mod dates;
pub(crate) mod elementwise;
pub(crate) mod range;
pub(crate) mod scalars;
pub(crate) mod timestamps;
