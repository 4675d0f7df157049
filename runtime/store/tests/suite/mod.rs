//! What every implementation of a store has to do, and what each does beyond that.

mod acceptance;
mod bucket;
mod merge;
mod prometheus;
mod proxy;
mod proxy_recorded;
mod served;
