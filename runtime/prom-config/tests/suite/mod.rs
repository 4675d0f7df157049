//! The cases.

mod corpus;
mod fields;
mod golden;
mod limits;
mod mutation;
