//! Whether a new block holds what its sources hold: asked before anything is taken away from anybody.
//!
//! A job says what it did with every sample ([`Account`]). What it wrote is read again from the disk ([`read_again`]), what it
//! downsampled window by window beside its source ([`compare_downsampled`]), and after the upload it is looked at in the
//! bucket ([`look_in_bucket`]). All of that is a [`Proof`]; whether a source may go because of it is decided by
//! [`may_mark_source`] alone, which knows nothing but what it is given.

mod account;
mod compare;
mod disk;
mod mark;
mod provenance;
mod series;
mod uploaded;

pub use account::{Account, Imbalance, SourceRead};
pub use compare::{CompareError, Difference, compare_contained, compare_downsampled};
pub use disk::{FileOnDisk, OnDisk, ReadAgainError, read_again};
pub use mark::{Compared, Proof, WhyNot, may_mark_emptied, may_mark_source};
pub(crate) use provenance::KEY as PROVENANCE;
pub use provenance::{Provenance, account_of_metas};
pub use series::WalkError;
pub use uploaded::{NotInBucket, look_in_bucket};
