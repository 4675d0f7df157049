//! The write-ahead log: every change of the head, in the order in which it was acknowledged.
