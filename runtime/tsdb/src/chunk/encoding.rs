//! The byte before a chunk's data, and the two bits that histograms keep about counter resets.

use std::fmt;

use prom_model::CounterResetHint;

use crate::corruption::Fault;

/// How a chunk's samples are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Encoding {
    /// Floats; what Gorilla does.
    Xor = 1,
    /// Histograms of whole observations.
    Histogram = 2,
    /// Histograms whose counts are floats.
    FloatHistogram = 3,
    /// Floats with joint control bits and, where known, start timestamps (Prometheus 3.14).
    Xor2 = 4,
    /// Histograms of whole observations with start timestamps (Prometheus 3.14).
    HistogramSt = 5,
    /// Float histograms with start timestamps (Prometheus 3.14).
    FloatHistogramSt = 6,
    /// Up to five chunks, one per aggregate of a downsampled series (Thanos).
    Aggregate = 0xff,
}

impl Encoding {
    /// Reads the byte before a chunk's data.
    ///
    /// # Errors
    /// [`Fault::Encoding`] where nobody has defined it.
    pub const fn from_u8(byte: u8) -> Result<Self, Fault> {
        Ok(match byte {
            1 => Encoding::Xor,
            2 => Encoding::Histogram,
            3 => Encoding::FloatHistogram,
            4 => Encoding::Xor2,
            5 => Encoding::HistogramSt,
            6 => Encoding::FloatHistogramSt,
            0xff => Encoding::Aggregate,
            other => return Err(Fault::Encoding(other as u64)),
        })
    }

    /// The byte before a chunk's data.
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// Whether the samples are floats.
    pub const fn is_float(self) -> bool {
        matches!(self, Encoding::Xor | Encoding::Xor2)
    }

    /// Whether the samples are histograms, of whole observations or of floats.
    pub const fn is_histogram(self) -> bool {
        !self.is_float() && !matches!(self, Encoding::Aggregate)
    }

    /// Whether samples may carry the time at which counting began.
    pub const fn has_start_times(self) -> bool {
        matches!(self, Encoding::Xor2 | Encoding::HistogramSt | Encoding::FloatHistogramSt)
    }
}

impl fmt::Display for Encoding {
    /// Prints the names that Prometheus uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Encoding::Xor => "XOR",
            Encoding::Histogram => "histogram",
            Encoding::FloatHistogram => "floathistogram",
            Encoding::Xor2 => "XOR2",
            Encoding::HistogramSt => "histogramST",
            Encoding::FloatHistogramSt => "floathistogramST",
            Encoding::Aggregate => "aggregate",
        })
    }
}

/// What a histogram chunk's header says about a counter reset between the chunk before and this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum CounterReset {
    /// Nothing.
    #[default]
    Unknown = 0,
    /// There was none.
    NotReset = 0b0100_0000,
    /// There was one.
    Reset = 0b1000_0000,
    /// The samples are gauges.
    Gauge = 0b1100_0000,
}

impl CounterReset {
    /// The bits that hold it in a header's byte.
    pub const MASK: u8 = 0b1100_0000;

    /// Reads the two bits; the others of the byte do not matter.
    pub const fn from_u8(byte: u8) -> Self {
        match byte & Self::MASK {
            0b0100_0000 => CounterReset::NotReset,
            0b1000_0000 => CounterReset::Reset,
            0b1100_0000 => CounterReset::Gauge,
            _ => CounterReset::Unknown,
        }
    }

    /// The two bits.
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// What that says about the sample at `position` in the chunk. Of the first nothing is known: the chunk that was before
    /// may have been deleted, or another may have come between.
    pub const fn hint(self, position: usize) -> CounterResetHint {
        match self {
            CounterReset::Gauge => CounterResetHint::Gauge,
            _ if position > 0 => CounterResetHint::NotCounterReset,
            _ => CounterResetHint::Unknown,
        }
    }
}
