//! Compaction seen from outside, one module per part.

mod suite;
