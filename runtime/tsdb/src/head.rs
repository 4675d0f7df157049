//! The head: the newest samples, in memory and in the write-ahead log.
