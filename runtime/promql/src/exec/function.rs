//! The functions of PromQL, one file per family.

pub(crate) mod absent;
pub(crate) mod dates;
pub(crate) mod elementwise;
pub(crate) mod histogram;
pub(crate) mod info;
pub(crate) mod range;
pub(crate) mod relabel;
pub(crate) mod scalars;
pub(crate) mod sort;
pub(crate) mod timestamps;
