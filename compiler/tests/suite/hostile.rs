//! Inputs that no editor writes: too large, too deep, not text.
