//! Many compactors on one bucket: who may work on what, and a fence against those who have slept over their right to.
//!
//! A compactor claims the windows of time of a group that a job touches ([`Leases::claim`]), renews the [`Lease`] while it works
//! ([`Lease::during`]), and asks once more right before it marks or deletes anything ([`Lease::confirm`]). A claim is an object
//! that is created under the condition that there is none of its name; `docs/leases.md` tells how that is enough.
//!
//! All times are the store's, so the clocks of the machines may show anything. Where a store cannot create under a condition,
//! one compactor works and a second one refuses to.

mod claim;
mod clean;
mod error;
mod held;
mod instance;
mod objects;

pub use claim::{Claim, Fence, TooWide, WINDOW_MS};
pub use error::{EnterError, LeaseError};
pub use held::{Claimed, Lease};
pub use instance::{LeaseConfig, Leases, SeenInstance};

#[cfg(test)]
mod tests;
