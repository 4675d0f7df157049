//! Numbers that ascend strictly, a few bits each: where the symbols of one index went in the table of several.
//!
//! Of each number what counts is how far it is ahead of its place, which never falls. Of 64 in a row the first stands in memory
//! with 32 bits, the others as differences to it with as many bits as the last one needs. Most often these are none to eight.

use std::sync::Arc;

use crate::stored::{Scratch, ScratchError, ScratchFile, ScratchOutput};

const FRAME: usize = 64;
const WORD_BYTES: usize = 8;
/// Of a list on the disk is read at once.
const PAGE_WORDS: usize = 512;
/// How many pages a reader keeps.
const PAGES: usize = 128;

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// How far the first number is ahead of its place.
    base: u32,
    /// Its first word. It has as many words as its differences have bits.
    word: u32,
}

/// The list.
#[derive(Debug)]
pub(crate) struct Ascending {
    /// One more than there are frames.
    frames: Vec<Frame>,
    words: Words,
    len: u32,
}

#[derive(Debug)]
enum Words {
    Held(Vec<u64>),
    Stored(Arc<ScratchFile>),
}

/// Makes a list.
#[derive(Debug)]
pub(crate) struct AscendingBuilder {
    scratch: Scratch,
    bytes_max: usize,
    frames: Vec<Frame>,
    words: Vec<u64>,
    /// What stands in the file already.
    spilled: Option<(ScratchOutput, u32)>,
    pending: [u32; FRAME],
    filled: usize,
    len: u32,
}

impl AscendingBuilder {
    /// A list of which at most about `bytes_max` lie in memory while it is read.
    pub(crate) fn new(scratch: Scratch, bytes_max: usize) -> Self {
        AscendingBuilder {
            scratch,
            bytes_max,
            frames: Vec::new(),
            words: Vec::new(),
            spilled: None,
            pending: [0; FRAME],
            filled: 0,
            len: 0,
        }
    }

    /// Appends a number that is larger than all before.
    #[inline]
    pub(crate) fn push(&mut self, number: u32) -> Result<(), ScratchError> {
        if let Some(slot) = self.pending.get_mut(self.filled) {
            *slot = number.wrapping_sub(self.len);
        }
        self.filled = self.filled.saturating_add(1);
        self.len = self.len.wrapping_add(1);
        if self.filled >= FRAME { self.seal() } else { Ok(()) }
    }

    fn seal(&mut self) -> Result<(), ScratchError> {
        let ahead = self.pending.get(..self.filled).unwrap_or(&[]);
        let (Some(base), Some(last)) = (ahead.first().copied(), ahead.last().copied()) else { return Ok(()) };
        let bits = u32::BITS - last.wrapping_sub(base).leading_zeros();
        let before = self.spilled.as_ref().map_or(0, |(_, words)| *words);
        let here = self.words.len();
        self.frames.push(Frame { base, word: before.wrapping_add(here as u32) });
        self.words.resize(here.saturating_add(bits as usize), 0);
        let words = self.words.get_mut(here..).unwrap_or_default();
        for (at, number) in (0u32..).zip(ahead) {
            let difference = u64::from(number.wrapping_sub(base));
            let bit = at.wrapping_mul(bits);
            let (word, shift) = ((bit / u64::BITS) as usize, bit % u64::BITS);
            if let Some(word) = words.get_mut(word) {
                *word |= difference << shift;
            }
            if shift.wrapping_add(bits) > u64::BITS
                && let Some(word) = words.get_mut(word.saturating_add(1))
            {
                *word |= difference >> (u64::BITS - shift);
            }
        }
        self.filled = 0;
        if self.words.len().saturating_mul(WORD_BYTES) > self.bytes_max { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<(), ScratchError> {
        let (mut out, before) = match self.spilled.take() {
            Some(spilled) => spilled,
            None => (self.scratch.create()?, 0),
        };
        for word in &self.words {
            out.buffer().extend_from_slice(&word.to_le_bytes());
        }
        out.drain()?;
        self.spilled = Some((out, before.wrapping_add(self.words.len() as u32)));
        self.words.clear();
        Ok(())
    }

    pub(crate) fn build(mut self) -> Result<Ascending, ScratchError> {
        self.seal()?;
        if self.spilled.is_some() {
            self.spill()?;
        }
        let (words, end) = match self.spilled.take() {
            None => {
                let end = self.words.len() as u32;
                (Words::Held(std::mem::take(&mut self.words)), end)
            }
            Some((out, end)) => (Words::Stored(out.close()?), end),
        };
        self.frames.push(Frame { base: 0, word: end });
        Ok(Ascending { frames: self.frames, words, len: self.len })
    }
}

/// A slot for a page: its number and its bytes.
type Page = Option<(u32, Box<[u8]>)>;

/// Reads numbers of a list anywhere; holds pages where the list is on the disk.
#[derive(Debug)]
pub(crate) struct AscendingReader {
    list: Arc<Ascending>,
    /// For each slot the page that is in it; none for a list in memory.
    pages: Vec<Page>,
}

impl AscendingReader {
    pub(crate) fn new(list: Arc<Ascending>) -> Self {
        AscendingReader { list, pages: Vec::new() }
    }

    /// The number at a place; `None` behind the last.
    #[inline]
    pub(crate) fn get(&mut self, at: u32) -> Result<Option<u32>, ScratchError> {
        let list = &*self.list;
        if at >= list.len {
            return Ok(None);
        }
        let (frame, member) = (at as usize / FRAME, at % FRAME as u32);
        let Some([frame, next]) = list.frames.get(frame..frame.saturating_add(2)) else { return Ok(None) };
        let bits = next.word.wrapping_sub(frame.word);
        let first = at.wrapping_add(frame.base);
        if bits == 0 {
            return Ok(Some(first));
        }
        let bit = member.wrapping_mul(bits);
        let (word, shift) = (frame.word.wrapping_add(bit / u64::BITS), bit % u64::BITS);
        let crosses = shift.wrapping_add(bits) > u64::BITS;
        let (low, high) = match &list.words {
            Words::Held(words) => {
                let word = word as usize;
                let low = words.get(word).copied().unwrap_or(0);
                let high = if crosses { words.get(word.wrapping_add(1)).copied().unwrap_or(0) } else { 0 };
                (low, high)
            }
            Words::Stored(file) => {
                let low = stored_word(&mut self.pages, file, word)?;
                let high = match crosses {
                    true => stored_word(&mut self.pages, file, word.wrapping_add(1))?,
                    false => 0,
                };
                (low, high)
            }
        };
        let mut difference = low >> shift;
        if crosses {
            difference |= high << (u64::BITS - shift);
        }
        let mask = (1u64 << bits) - 1;
        Ok(Some(first.wrapping_add((difference & mask) as u32)))
    }

    /// The place of a number, by halves.
    pub(crate) fn find(&mut self, number: u32) -> Result<Option<u32>, ScratchError> {
        let (mut low, mut high) = (0u32, self.list.len);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)?.unwrap_or(u32::MAX).cmp(&number) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(Some(middle)),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }
}

fn stored_word(pages: &mut Vec<Page>, file: &ScratchFile, word: u32) -> Result<u64, ScratchError> {
    if pages.is_empty() {
        pages.resize_with(PAGES, || None);
    }
    let (page, at) = (word / PAGE_WORDS as u32, word as usize % PAGE_WORDS);
    let Some(slot) = pages.get_mut(page as usize % PAGES) else { return Ok(0) };
    if slot.as_ref().is_none_or(|(held, _)| *held != page) {
        let mut bytes = match slot.take() {
            Some((_, bytes)) => bytes,
            None => vec![0; PAGE_WORDS * WORD_BYTES].into(),
        };
        let offset = u64::from(page).saturating_mul((PAGE_WORDS * WORD_BYTES) as u64);
        let length = (bytes.len() as u64).min(file.len().saturating_sub(offset)) as usize;
        file.read_at(bytes.get_mut(..length).unwrap_or_default(), offset)?;
        *slot = Some((page, bytes));
    }
    let bytes = slot.as_ref().map_or(&[][..], |(_, bytes)| bytes);
    let (words, _) = bytes.as_chunks::<WORD_BYTES>();
    Ok(words.get(at).map_or(0, |word| u64::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::fs::Fs;
    use crate::fs::sim::SimFs;

    proptest! {
        #[test]
        fn numbers_come_back(
            steps in proptest::collection::vec(prop_oneof![8 => Just(1u32), 2 => 1u32..40, 1 => 1u32..3_000_000], 0..900),
            first in 0u32..200,
            bytes_max in prop_oneof![Just(0usize), Just(100), Just(usize::MAX)],
        ) {
            let disk = SimFs::new();
            disk.create_dir_all("/".as_ref()).unwrap();
            let scratch = Scratch::new(Arc::new(disk.clone()), PathBuf::from("/scratch"), 0);
            let mut builder = AscendingBuilder::new(scratch.clone(), bytes_max);
            let mut number = first;
            let numbers: Vec<u32> = steps.iter().map(|step| { number += step; number }).collect();
            for number in &numbers {
                builder.push(*number).unwrap();
            }
            let mut reader = AscendingReader::new(Arc::new(builder.build().unwrap()));
            for (at, number) in (0u32..).zip(&numbers) {
                prop_assert_eq!(reader.get(at).unwrap(), Some(*number));
                prop_assert_eq!(reader.find(*number).unwrap(), Some(at));
            }
            prop_assert_eq!(reader.get(numbers.len() as u32).unwrap(), None);
            prop_assert_eq!(reader.find(first).unwrap(), None);
            drop((reader, scratch));
            prop_assert!(disk.list("/scratch".as_ref()).is_err(), "scratch files are left");
        }
    }
}
