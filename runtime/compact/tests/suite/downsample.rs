//! Downsampling: what Thanos made of the same blocks, what a slow reference makes of random ones, and what queries find.

mod damaged;
mod generated;
mod random;
mod recorded;
mod reference;
