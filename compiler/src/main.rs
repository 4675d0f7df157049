//! `pronoia`, the command: it talks, the library computes.

fn main() {}
