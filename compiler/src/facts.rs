//! What every supported release of Prometheus, Thanos and their companions accepts, so that no flag, field or image
//! is emitted that the chosen version does not have.
//!
//! The facts are the tables in `compiler/data/`; each opens with where it was read. A version newer than the newest
//! one read is answered as that one, an older one as the oldest: ask [`supported_range`] first.

mod features;
mod fields;
mod flags;
mod images;
mod program;
mod status;
mod table;
mod version;

pub use features::{FeatureStatus, prometheus_feature_status};
pub use fields::{config_field_since, config_field_status};
pub use flags::{FlagFacts, flag_facts, flag_status, flags};
pub use images::{Image, ImageFacts, default_version, image_facts};
pub use program::{Component, Program, VersionRange, supported_range};
pub use status::{FlagStatus, Replacement};
pub use version::{Version, VersionError};

#[cfg(test)]
mod tests;
