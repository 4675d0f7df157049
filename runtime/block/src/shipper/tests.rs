//! What is shipped.
