//! What chunks promise: what goes in comes out, to the bit; and nothing but that.

mod agreement;
mod appenders;
mod floats;
mod random;
mod recorded;
mod reference;
mod vectors;
mod write;
