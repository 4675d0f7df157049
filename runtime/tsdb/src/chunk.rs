//! Chunks: compressed runs of samples of one series.
