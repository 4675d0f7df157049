//! Snappy's framing format, one stream per message, as Go's `snappy.NewBufferedWriter` writes it.
//!
//! A stream is the identifier, then chunks of at most 64 KiB: a type, a length of three bytes, the masked CRC-32C of the plain
//! data, the data. Specification: `framing_format.txt` of google/snappy.

use crc_fast::CrcAlgorithm;
use snap::raw::{Decoder, Encoder, max_compress_len};
use thiserror::Error;

const IDENTIFIER: [u8; 10] = [0xff, 6, 0, 0, b's', b'N', b'a', b'P', b'p', b'Y'];
const BLOCK: usize = 65_536;
const COMPRESSED: u8 = 0;
const PLAIN: u8 = 1;

/// What is wrong with a stream; the words are those of Go's library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum SnappyError {
    #[error("snappy: corrupt input")]
    Corrupt,
    #[error("snappy: unsupported input")]
    Unsupported,
    /// More than allowed comes out: at least this many bytes.
    #[error("more than allowed")]
    TooLarge(usize),
}

/// Appends `plain` as one stream.
pub(super) fn compress(encoder: &mut Encoder, plain: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&IDENTIFIER);
    let mut scratch = vec![0; max_compress_len(plain.len().min(BLOCK))];
    for block in plain.chunks(BLOCK) {
        // What does not become an eighth smaller goes as it is.
        let smaller = encoder
            .compress(block, &mut scratch)
            .ok()
            .filter(|length| *length < block.len() - block.len() / 8)
            .and_then(|length| scratch.get(..length));
        let (kind, data) = smaller.map_or((PLAIN, block), |data| (COMPRESSED, data));
        let length = u32::try_from(data.len() + 4).unwrap_or(u32::MAX);
        let [a, b, c, _] = length.to_le_bytes();
        out.extend_from_slice(&[kind, a, b, c]);
        out.extend_from_slice(&masked(block).to_le_bytes());
        out.extend_from_slice(data);
    }
}

/// Appends the data of a stream, at most `max` bytes.
pub(super) fn decompress(mut stream: &[u8], max: usize, out: &mut Vec<u8>) -> Result<(), SnappyError> {
    let before = out.len();
    let mut decoder = Decoder::new();
    let mut begun = false;
    while !stream.is_empty() {
        let (&[kind, a, b, c], rest) = stream.split_first_chunk::<4>().ok_or(SnappyError::Corrupt)?;
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        let (chunk, rest) = rest.split_at_checked(length).ok_or(SnappyError::Corrupt)?;
        stream = rest;
        if kind == 0xff {
            if IDENTIFIER.get(4..) != Some(chunk) {
                return Err(SnappyError::Corrupt);
            }
            begun = true;
            continue;
        }
        if !begun {
            return Err(SnappyError::Corrupt);
        }
        match kind {
            COMPRESSED | PLAIN => {
                let (checksum, data) = chunk.split_first_chunk::<4>().ok_or(SnappyError::Corrupt)?;
                let start = out.len();
                let size = match kind {
                    PLAIN => data.len(),
                    _ => snap::raw::decompress_len(data).map_err(|_| SnappyError::Corrupt)?,
                };
                if size > BLOCK {
                    return Err(SnappyError::Corrupt);
                }
                if start - before + size > max {
                    return Err(SnappyError::TooLarge(start - before + size));
                }
                if kind == PLAIN {
                    out.extend_from_slice(data);
                } else {
                    out.resize(start + size, 0);
                    let place = out.get_mut(start..).ok_or(SnappyError::Corrupt)?;
                    decoder.decompress(data, place).map_err(|_| SnappyError::Corrupt)?;
                }
                if masked(out.get(start..).unwrap_or_default()) != u32::from_le_bytes(*checksum) {
                    return Err(SnappyError::Corrupt);
                }
            }
            2..=0x7f => return Err(SnappyError::Unsupported),
            // Padding, and what may be skipped.
            _ => {}
        }
    }
    Ok(())
}

fn masked(data: &[u8]) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the checksum has 32 bits")]
    let sum = crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, data) as u32;
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompress(stream: &[u8], max: usize) -> Result<Vec<u8>, SnappyError> {
        let mut out = b"before".to_vec();
        super::decompress(stream, max, &mut out)?;
        Ok(out.split_off(6))
    }

    #[test]
    fn what_goes_in_comes_out() {
        let mut noise: u32 = 1;
        let mut noise = move || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_le_bytes()[3]
        };
        for size in [0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17] {
            let random: Vec<u8> = (0..size).map(|_| noise()).collect();
            for plain in [vec![b'a'; size], random] {
                let mut stream = Vec::new();
                compress(&mut Encoder::new(), &plain, &mut stream);
                assert_eq!(decompress(&stream, size).unwrap(), plain);
                // The reference implementation agrees.
                let mut read = Vec::new();
                std::io::copy(&mut snap::read::FrameDecoder::new(stream.as_slice()), &mut read).unwrap();
                assert_eq!(read, plain);
                if size > 0 {
                    assert!(matches!(decompress(&stream, size - 1), Err(SnappyError::TooLarge(_))));
                }
            }
        }
    }

    #[test]
    fn damage_is_found() {
        let mut stream = Vec::new();
        compress(&mut Encoder::new(), b"some words, some words, some words", &mut stream);
        for at in 0..stream.len() {
            let mut damaged = stream.clone();
            damaged[at] ^= 0x55;
            // A skippable chunk type hides what it holds.
            if let Ok(plain) = decompress(&damaged, 1 << 20) {
                assert_ne!(plain, b"some words, some words, some words", "byte {at}");
            }
            assert!(at == 0 || decompress(&stream[..at], 1 << 20).is_err() || at == IDENTIFIER.len());
        }
        assert_eq!(decompress(b"\x02\x00\x00\x00", 9), Err(SnappyError::Corrupt));
    }
}
