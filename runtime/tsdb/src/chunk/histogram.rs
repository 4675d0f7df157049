//! Histogram chunks: a layout of buckets that all samples share, then the samples.

mod append;
mod decode;
mod float_append;
mod layout;
mod spans;

pub use append::{Appended, HistogramAppender};
pub use float_append::FloatHistogramAppender;

pub(super) use decode::{decode_float, decode_whole};
