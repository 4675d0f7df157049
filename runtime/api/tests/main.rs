//! What users of the API see.

mod suite;
