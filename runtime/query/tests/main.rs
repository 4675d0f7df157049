//! Series of many replicas as others make one of them.

mod suite;
