//! The cases.

mod corpus;
mod differential;
mod fields;
mod golden;
mod limits;
mod mutation;
mod promtool;
mod released;
mod verdicts;
