//! A record's fragment: seven bytes of header and the part of the record that fits into the page.

use snap::raw::{Decoder, decompress_len};
use std::io::Read;

use crate::corruption::Fault;

/// Type, length, checksum.
pub(super) const HEADER_SIZE: usize = 7;
/// The largest record, after decompression, that is read or written. A record holds what one commit brought.
pub(super) const RECORD_SIZE_MAX: usize = 256 * 1024 * 1024;

const SNAPPY: u8 = 1 << 3;
const ZSTD: u8 = 1 << 4;
const KIND: u8 = 0b111;

/// Which part of a record a fragment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Full,
    First,
    Middle,
    Last,
}

/// How the bytes of a record are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Packing {
    #[default]
    None,
    Snappy,
    Zstd,
}

/// The first byte of a header that is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) part: Part,
    pub(super) packing: Packing,
}

impl Kind {
    pub(super) const fn read(byte: u8) -> Result<Self, Fault> {
        let part = match byte & KIND {
            1 => Part::Full,
            2 => Part::First,
            3 => Part::Middle,
            4 => Part::Last,
            _ => return Err(Fault::Encoding(byte as u64)),
        };
        let packing = match byte & !KIND {
            0 => Packing::None,
            SNAPPY => Packing::Snappy,
            ZSTD => Packing::Zstd,
            _ => return Err(Fault::Encoding(byte as u64)),
        };
        Ok(Kind { part, packing })
    }

    pub(super) const fn byte(self) -> u8 {
        let part = match self.part {
            Part::Full => 1,
            Part::First => 2,
            Part::Middle => 3,
            Part::Last => 4,
        };
        let packing = match self.packing {
            Packing::None => 0,
            Packing::Snappy => SNAPPY,
            Packing::Zstd => ZSTD,
        };
        part | packing
    }
}

/// Decompresses `packed` into `record`, which is emptied first. What is allocated grows with what really comes out.
pub(super) fn unpack(packing: Packing, packed: &[u8], record: &mut Vec<u8>) -> Result<(), Fault> {
    record.clear();
    match packing {
        Packing::None => record.extend_from_slice(packed),
        Packing::Snappy => {
            let length = decompress_len(packed).map_err(|_| Fault::Rule("not a snappy block"))?;
            // Three bytes copy at most 64: a longer claim is a lie, and would be allocated.
            if length > RECORD_SIZE_MAX.min(packed.len().saturating_mul(22)) {
                return Err(Fault::Rule("a snappy block that claims more than it can hold"));
            }
            record.resize(length, 0);
            Decoder::new().decompress(packed, record).map_err(|_| Fault::Rule("a broken snappy block"))?;
        }
        Packing::Zstd => {
            let broken = |_| Fault::Rule("a broken zstd frame");
            let stream = zstd::stream::read::Decoder::with_buffer(packed).map_err(broken)?;
            stream.take(RECORD_SIZE_MAX as u64 + 1).read_to_end(record).map_err(broken)?;
            if record.len() > RECORD_SIZE_MAX {
                return Err(Fault::Rule("a zstd frame that holds more than a record may"));
            }
        }
    }
    Ok(())
}
