//! The index of a block: which series there are, with which labels, and where their chunks lie.
