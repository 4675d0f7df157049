//! One module per question.

mod accept;
mod corpus;
mod flags;
mod hostile;
mod layout;
mod recorded;
mod refuse;
mod series;
mod tree;
