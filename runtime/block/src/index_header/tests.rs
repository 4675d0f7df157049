//! What an index-header holds, and what is refused.
