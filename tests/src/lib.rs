//! Handles that the outside tests share.
