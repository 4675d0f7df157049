//! What the KDL says: text to tree, tree to one merged topology, topology to typed nodes.

pub mod load;
pub mod merge;
pub mod parse;
pub mod tree;
pub mod variables;
