//! What becomes of a block that cannot be compacted: it is repaired where that loses nothing, and set aside where it would.
//!
//! A block that is set aside gets a no-compact (or no-downsample) mark, which Thanos understands, and beside it an object with
//! the evidence: what was found, where, by which job, and what to run. Nothing else stops.

mod evidence;
mod inspect;
mod overlap;
mod reason;
mod repaired;

pub use evidence::{EVIDENCE, Evidence};
pub use overlap::{Disagreement, disagreement};
pub use reason::{Verdict, judge, reason_words};

pub(crate) use evidence::{commands, write_evidence};
pub use inspect::InspectError;
pub(crate) use inspect::{Fetch, fetch, inspect};
pub(crate) use reason::{code_of_fault, code_of_reason, no_compact_reason};
pub use repaired::RepairFailure;
pub(crate) use repaired::{Repair, repair};
