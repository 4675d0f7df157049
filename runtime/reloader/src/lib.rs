//! Hot reload that cannot break Prometheus.
//!
//! The reloader reads a configuration and rule files where Kubernetes, a person or a tool changes them, expands `$(VAR)`,
//! looks whether Prometheus could load the result, writes it where Prometheus reads it, asks for a reload and makes sure
//! that it happened. A file that Prometheus would refuse never takes the place of a good one; one that it refuses after
//! all is taken back, so that a restart always comes up.
//!
//! ```text
//! inputs → Snapshot → Candidate → validate → Outputs::commit → reload → confirmed → Outputs::confirm
//!                         └ rejected: nothing is written        └ refused → Outputs::restore → reload
//! ```
//!
//! [`compat`] is the original's way, without any of this protection, for those who rely on it.

mod candidate;
pub mod compat;
pub mod disk;
mod environment;
mod expand;
mod finding;
mod machine;
mod metrics;
mod outputs;
mod promtool;
mod settings;
mod snapshot;
mod status;
mod target;
mod validate;
mod watch;

pub use candidate::Candidate;
pub use environment::Environment;
pub use finding::{Finding, Reason};
pub use machine::{OnceError, Reloader};
pub use metrics::ReloaderMetrics;
pub use outputs::Outputs;
pub use settings::{Directory, Method, Promtool, Settings, SettingsError, TargetKind};
pub use snapshot::Snapshot;
pub use status::{Phase, Status, StatusBoard};
pub use target::{Presence, Target};
pub use validate::Validator;
