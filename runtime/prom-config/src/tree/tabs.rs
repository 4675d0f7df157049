//! Tabs before nothing, or before a comment: the parser here skips them, Go's libraries refuse most of them.

use granit_parser::{Event, ScalarStyle, StructureStyle};

use super::{Mark, mark_of};

/// The lines of a text that begin with a tab and hold no value.
pub(super) struct Blank {
    /// Byte and line, in the order of the text.
    lines: Vec<(usize, usize)>,
    /// The start of the outermost open flow collection, and how many are open.
    flow: Option<usize>,
    /// Whether each open collection is written in brackets.
    open: Vec<bool>,
}

impl Blank {
    pub(super) fn new(text: &str) -> Self {
        let mut lines = Vec::new();
        let mut at = 0;
        for (number, line) in text.split('\n').enumerate() {
            let bare = line.trim_start_matches(' ');
            let value = bare.trim_start_matches([' ', '\t', '\r']);
            if bare.starts_with('\t') && (value.is_empty() || value.starts_with('#')) {
                lines.push((at, number + 1));
            }
            at += line.len() + 1;
        }
        Blank { lines, flow: None, open: Vec::new() }
    }

    /// Takes out the lines within an event where tabs are content or allowed.
    pub(super) fn pass(&mut self, event: &Event<'_>, start: usize, end: usize) {
        if self.lines.is_empty() {
            return;
        }
        match event {
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                let flow = *style == StructureStyle::Flow;
                if flow && self.flow.is_none() {
                    self.flow = Some(start);
                }
                self.open.push(flow);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = self.open.pop();
                let outermost = closed == Some(true) && !self.open.contains(&true);
                if let Some(start) = self.flow.take_if(|_| outermost) {
                    self.remove(start, end);
                }
            }
            Event::Scalar(_, style, ..) if *style != ScalarStyle::Plain => self.remove(start, end),
            _ => {}
        }
    }

    fn remove(&mut self, start: usize, end: usize) {
        let from = self.lines.partition_point(|(at, _)| *at < start);
        let to = self.lines.partition_point(|(at, _)| *at < end);
        self.lines.drain(from..to.max(from));
    }

    /// The first line that is left.
    pub(super) fn doubtful(&self) -> Option<Mark> {
        self.lines.first().map(|(_, line)| mark_of(*line, 0))
    }
}
