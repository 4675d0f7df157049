//! Broken copies of valid topologies: whatever the bytes, the compiler answers with findings at places that exist.
