//! What becomes of a block that cannot be compacted: it is repaired where that loses nothing, and set aside where it would.
//!
//! A block that is set aside gets a no-compact (or no-downsample) mark, which Thanos understands, and beside it an object with
//! the evidence: what was found, where, by which job, and what to run. Nothing else stops.

mod evidence;
mod inspect;
mod overlap;
mod reason;
mod repaired;

pub use evidence::EVIDENCE;
pub use inspect::InspectError;
pub use reason::reason_words;
pub use repaired::RepairFailure;

pub(crate) use evidence::{Evidence, commands, write_evidence};
pub(crate) use inspect::{Fetch, fetch, inspect};
pub(crate) use overlap::{Disagreement, disagreement};
pub(crate) use reason::{Verdict, code_of_fault, code_of_reason, judge, no_compact_reason};
pub(crate) use repaired::{Repair, repair};
