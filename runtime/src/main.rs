//! `pronoiad`, the runtime command.

fn main() {}
