//! One module per question.

mod accept;
mod corpus;
mod hostile;
mod refuse;
mod tree;
