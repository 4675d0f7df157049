//! What a user of the compiler can see, tested from outside.

mod cli;
mod render;
mod tutorial;
