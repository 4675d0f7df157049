//! JSON as Prometheus writes it, byte for byte, without a tree of values in between.

mod answer;
mod histogram;
mod number;
mod text;

pub(crate) use answer::{AnswerText, Manner, Timings};
pub(crate) use number::{push_float, push_float_digits, push_time, push_whole};
pub(crate) use text::{push_text, push_text_for_html, push_texts};
