//! Which blocks are to be compacted into one: decided from metadata alone, without a bucket, a disk or a clock.
//!
//! Blocks are sorted into [`Group`]s, whose blocks may become one block. [`Planner::step`] says what is the next thing to do in a
//! group: it follows Thanos' rules exactly, so that the same blocks come out in the same order. [`Outlook`] plays all steps
//! through, for whoever wants to know what is to come without doing it.

mod group;
mod job;
mod levels;
mod outlook;
mod planner;
mod report;
mod select;

pub use group::{Group, groups};
pub(crate) use job::index_bytes;
pub use job::{Job, Overlapping};
pub use levels::{LevelError, Levels};
pub use outlook::{Outlook, PlannedJob};
pub use planner::{Halt, Known, Marking, Next, Planner, Step};
pub use report::{Deletion, PlanReport, PlannedMark, PlannedWork};

#[cfg(test)]
mod tests;
