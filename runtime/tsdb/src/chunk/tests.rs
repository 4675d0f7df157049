//! What chunks promise: what goes in comes out, to the bit; and nothing but that.

mod floats;
mod recorded;
