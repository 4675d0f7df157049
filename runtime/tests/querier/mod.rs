//! `query` over `store`, both as real commands on this machine.

mod component;
mod flags;
mod recorded;
