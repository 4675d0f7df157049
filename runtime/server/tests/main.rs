//! The servers and clients of a component against each other, over real sockets on the loopback address.

mod suite;
