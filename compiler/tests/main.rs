//! What a user of the compiler can see, tested from outside.

mod cli;
mod injection;
mod render;
mod suite;
mod thanos;
mod tutorial;
