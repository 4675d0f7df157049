//! One module per question.

mod accept;
mod corpus;
mod flags;
mod hostile;
mod refuse;
mod series;
mod tree;
