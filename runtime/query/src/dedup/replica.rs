//! The chunks of one replica, decoded as far as somebody looked.

use std::mem::take;

use tsdb::chunk::{Columns, HistogramColumns, Order, decode_floats};

use super::PieceError;
use super::column::Column;
use super::counter::Total;
use crate::histograms::each_histogram;
use crate::{Content, Encoded, Piece};

/// Memory of decoders.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    floats: Columns,
    counts: Columns,
    histograms: HistogramColumns<f64>,
}

/// One replica of a series.
#[derive(Debug)]
pub(super) struct Replica<'p> {
    /// What was decoded.
    pub(super) column: Column,
    lane: u32,
    pieces: &'p [Piece<'p>],
    lanes: &'p [u32],
    /// The piece that is decoded next, unless it is another replica's.
    next: usize,
    /// Samples before are not wanted.
    floor: i64,
    /// Pieces behind are not wanted.
    ceiling: i64,
    total: Option<Total>,
    /// The last time of its pieces, found when it is needed.
    end: Option<i64>,
}

impl<'p> Replica<'p> {
    pub(super) fn new(
        lane: u32,
        pieces: &'p [Piece<'p>],
        lanes: &'p [u32],
        (floor, ceiling): (i64, i64),
        without_resets: bool,
        mut column: Column,
    ) -> Self {
        column.clear();
        let total = without_resets.then(Total::default);
        Replica { column, lane, pieces, lanes, next: 0, floor, ceiling, total, end: None }
    }

    /// A replica that is decoded already.
    pub(super) const fn decoded(column: Column) -> Self {
        let (floor, ceiling) = (i64::MIN, i64::MAX);
        Replica { column, lane: 0, pieces: &[], lanes: &[], next: 0, floor, ceiling, total: None, end: None }
    }

    pub(super) fn take_column(&mut self) -> Column {
        take(&mut self.column)
    }

    /// The first row from `from` on that is not earlier than `time`. Chunks that end before are left out where nothing depends
    /// on their samples.
    pub(super) fn seek(
        &mut self,
        from: usize,
        time: i64,
        decoder: &mut Decoder,
    ) -> Result<Option<usize>, PieceError> {
        let mut row = self.column.seek(from, time);
        while row >= self.column.len() {
            if !self.more(time, decoder)? {
                return Ok(None);
            }
            row = self.column.seek(row, time);
        }
        Ok(Some(row))
    }

    /// A time before which there is nothing from `time` on, in the rows from `from` on and in what is not decoded.
    pub(super) fn earliest(&self, from: usize, time: i64) -> i64 {
        let row = self.column.seek(from, time);
        if row < self.column.len() {
            return self.column.time(row);
        }
        let from = time.max(self.floor);
        let ahead = self.pieces.iter().zip(self.lanes).skip(self.next);
        let mut own = ahead.filter(|(_, lane)| **lane == self.lane).map(|(piece, _)| piece);
        own.find(|piece| piece.max_time >= from).map_or(i64::MAX, |piece| piece.min_time.max(from))
    }

    pub(super) fn decode_all(&mut self, decoder: &mut Decoder) -> Result<(), PieceError> {
        while self.more(i64::MIN, decoder)? {}
        Ok(())
    }

    /// Decodes the next chunk that may have samples from `time` on; `false` where there is none.
    pub(super) fn more(&mut self, time: i64, decoder: &mut Decoder) -> Result<bool, PieceError> {
        let from = time.max(self.floor);
        // A counter needs all chunks before, unless nothing behind is wanted.
        if self.total.is_some() && self.end() < from {
            self.next = self.pieces.len();
        }
        while let Some((piece, lane)) = self.pieces.get(self.next).zip(self.lanes.get(self.next)) {
            if piece.min_time > self.ceiling {
                return Ok(false);
            }
            self.next += 1;
            let early = piece.max_time < from && self.total.is_none();
            if *lane == self.lane && !early {
                self.decode(piece, decoder)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn end(&mut self) -> i64 {
        *self.end.get_or_insert_with(|| {
            let own = self.pieces.iter().zip(self.lanes).filter(|(_, lane)| **lane == self.lane);
            own.map(|(piece, _)| piece.max_time).max().unwrap_or(i64::MIN)
        })
    }

    fn decode(&mut self, piece: &Piece<'_>, decoder: &mut Decoder) -> Result<(), PieceError> {
        self.column.even_from = None;
        match piece.content {
            Content::Absent => Err(PieceError::Absent),
            Content::Column(encoded) => self.column(encoded, decoder),
            Content::Average { count, sum } => self.average(count, sum, decoder),
        }?;
        if self.column.last_time().is_some_and(|last| last > self.ceiling) {
            self.column.end_at(self.ceiling);
            self.next = self.pieces.len();
        }
        Ok(())
    }

    /// Samples are wanted from this time on: of chunks that overlap, the first counts.
    fn start(&self) -> i64 {
        let next = self.column.last_time().map_or(i64::MIN, |last| last.saturating_add(1));
        next.max(self.floor)
    }

    fn column(&mut self, encoded: Encoded<'_>, decoder: &mut Decoder) -> Result<(), PieceError> {
        let encoding = encoded.encoding.ok_or(PieceError::Encoding)?;
        let (start, floor, column) = (self.start(), self.floor, &mut self.column);
        match (&mut self.total, encoding.is_histogram()) {
            (None, false) => {
                let before = column.len();
                let decoded = decode_floats(encoding, encoded.data, Order::Rising, &mut column.rows)?;
                column.rows.start_timestamps.clear();
                column.even_from = decoded.interval.map(|_| before);
                if column.time(before) < start {
                    column.remove(before..column.seek(before, start));
                }
                Ok(())
            }
            (None, true) => {
                let take =
                    |time, _, histogram: _| column.push_histogram(time, std::sync::Arc::new(histogram));
                let wanted = |time| time >= start;
                each_histogram(encoding, encoded.data, Order::Rising, &mut decoder.histograms, wanted, take)
                    .map_err(PieceError::Chunk)
            }
            (Some(total), false) => {
                let before = column.len();
                let decoded = decode_floats(encoding, encoded.data, Order::Any, &mut column.rows)?;
                column.rows.start_timestamps.clear();
                column.even_from = decoded.interval.filter(|interval| *interval > 0).map(|_| before);
                if column.raise(total, before) {
                    column.remove(before..column.seek(before, floor));
                } else {
                    column.move_rows(before, &mut decoder.floats);
                    total.floats(&decoder.floats.timestamps, &decoder.floats.values, floor, column);
                }
                Ok(())
            }
            (Some(total), true) => {
                let take = |time, _, histogram| total.histogram(time, histogram, floor, column);
                each_histogram(encoding, encoded.data, Order::Any, &mut decoder.histograms, |_| true, take)
                    .map_err(PieceError::Chunk)
            }
        }
    }

    fn average(
        &mut self,
        count: Encoded<'_>,
        sum: Encoded<'_>,
        decoder: &mut Decoder,
    ) -> Result<(), PieceError> {
        let start = self.start();
        let Decoder { floats, counts, histograms } = decoder;
        counts.clear();
        decode_floats(count.encoding.ok_or(PieceError::Encoding)?, count.data, Order::Rising, counts)?;
        let encoding = sum.encoding.ok_or(PieceError::Encoding)?;
        if encoding.is_histogram() {
            let column = &mut self.column;
            let (mut pairs, mut aligned) = (counts.iter(), true);
            let take = |time, _, mut histogram: prom_model::FloatHistogram| {
                let pair = pairs.next();
                aligned &= pair.is_none_or(|(counted, _)| counted == time);
                if let Some((_, count)) = pair.filter(|_| time >= start) {
                    histogram.div(count);
                    column.push_histogram(time, std::sync::Arc::new(histogram));
                }
            };
            each_histogram(encoding, sum.data, Order::Rising, histograms, |_| true, take)?;
            return check_aligned(histograms.len() == counts.len(), aligned);
        }
        floats.clear();
        decode_floats(encoding, sum.data, Order::Rising, floats)?;
        check_aligned(floats.len() == counts.len(), floats.timestamps == counts.timestamps)?;
        let first = floats.timestamps.partition_point(|time| *time < start);
        let averages = floats.iter().zip(&counts.values).skip(first);
        for ((time, sum), count) in averages {
            self.column.push_float(time, sum / count);
        }
        Ok(())
    }
}

const fn check_aligned(lengths: bool, times: bool) -> Result<(), PieceError> {
    match (lengths, times) {
        (true, true) => Ok(()),
        (true, false) => Err(PieceError::Times),
        (false, _) => Err(PieceError::Lengths),
    }
}
