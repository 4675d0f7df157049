//! Stores against recordings of the originals and against what no recording has.

mod suite;
