//! The engine, from outside.

mod suite;
