//! `pronoiad` as a user calls it.

mod cli;
