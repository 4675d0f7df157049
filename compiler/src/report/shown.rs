//! A source file as the drawing shows it: control characters and literal secrets covered, lines found without a search.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// The covered text of one file.
#[derive(Debug)]
pub(super) struct Shown {
    path: String,
    text: String,
    line_starts: Vec<usize>,
}

impl Shown {
    pub(super) fn new(path: String, text: &str) -> Shown {
        let mut shown = text.as_bytes().to_vec();
        for at in 0..shown.len() {
            let line_end = shown[at] == b'\n' || (shown[at] == b'\r' && shown.get(at + 1) == Some(&b'\n'));
            if !line_end && shown[at] != b'\t' && shown[at].is_ascii_control() {
                shown[at] = b'?';
            }
            // U+0080 to U+009F: terminals take some of them for the start of a command.
            if shown[at] == 0xc2 && shown.get(at + 1).is_some_and(|next| (0x80..0xa0).contains(next)) {
                shown[at..at + 2].fill(b'?');
            }
        }
        cover_secrets(text, &mut shown);
        let text = String::from_utf8(shown).unwrap_or_default();
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        Shown { path, text, line_starts }
    }

    /// The line, from 0, that holds this offset.
    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }
}

/// miette's own sources count lines from the start of the text for every label; with many findings in one file that
/// is quadratic.
impl SourceCode for Shown {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let (first, last) = (self.line(start), self.line(end.saturating_sub(1).max(start)));
        let (start, line) = if before == 0 {
            (start, first)
        } else {
            let line = first.saturating_sub(before);
            (self.line_starts[line], line)
        };
        let column = self.text.get(self.line_starts[line]..start).map_or(0, |text| text.chars().count());
        let end = if after == 0 {
            end
        } else {
            self.line_starts.get(last + after + 1).map_or(self.text.len(), |next| *next)
        };
        let data = self.text.get(start..end).ok_or(MietteError::OutOfBounds)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.clone(),
            data.as_bytes(),
            (start, data.len()).into(),
            line,
            column,
            data.lines().count(),
        )))
    }
}

/// Property names whose literal value is never shown.
const SECRET_NAMES: [&str; 6] = ["password", "secret-key", "secret_key", "access-key", "access_key", "token"];

/// Replaces the literal behind `password=` and its like by stars; references to secrets stay readable.
fn cover_secrets(text: &str, shown: &mut [u8]) {
    for name in SECRET_NAMES {
        for (at, _) in text.match_indices(name) {
            let mut start = at + name.len();
            let rest = &text[start..];
            let Some(value) = rest.strip_prefix('=').or_else(|| rest.strip_prefix(' ')) else { continue };
            start += 1;
            let quoted = value.starts_with('"');
            let value = if quoted { &value[1..] } else { value };
            start += usize::from(quoted);
            if ["secret:", "file:", "(env)"].iter().any(|reference| value.starts_with(reference)) {
                continue;
            }
            let end = if quoted {
                value.find(['"', '\n'])
            } else {
                value.find(|character: char| character.is_whitespace() || ";{}()".contains(character))
            };
            let end = start + end.unwrap_or(value.len());
            if let Some(bytes) = shown.get_mut(start..end) {
                bytes.fill(b'*');
            }
        }
    }
}
