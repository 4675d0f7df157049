//! Which blocks are seen.
