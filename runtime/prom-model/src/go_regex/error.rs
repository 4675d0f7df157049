//! What can be wrong with a pattern, in the words of Go's regexp package.

use std::fmt;

/// A pattern that Go would refuse, or that is too large for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoRegexError {
    /// What is wrong.
    pub kind: GoRegexErrorKind,
    /// What Go shows of the pattern: the part that is wrong, or all of it where a parenthesis has no other.
    pub fragment: String,
    /// Where the part that is wrong begins, as a byte offset into the pattern.
    pub position: usize,
}

/// The ways in which a pattern can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoRegexErrorKind {
    /// `\` and a character that has no meaning there.
    InvalidEscape,
    /// `[z-a]`, or an unknown name such as `[:foo:]` or `\p{Foo}`.
    InvalidCharRange,
    /// `[` without `]`.
    MissingBracket,
    /// `(` without `)`.
    MissingParen,
    /// `)` without `(`.
    UnexpectedParen,
    /// `*`, `+`, `?` or `{n}` with nothing before it.
    MissingRepeatArgument,
    /// `a**`.
    InvalidRepeatOp,
    /// `a{1001}`, `a{2,1}`, or nested repetitions that multiply beyond 1000.
    InvalidRepeatSize,
    /// `(?P<n>…)` with a bad name.
    InvalidNamedCapture,
    /// `(?=…)`, `(?x)` and the like.
    InvalidPerlOp,
    /// `\` at the end.
    TrailingBackslash,
    /// `\Q` without `\E`: the anchors that Prometheus adds would become part of the literal.
    UnterminatedQuote,
    /// Groups nested too deeply.
    NestingDepth,
    /// A pattern that compiles to more than we allow.
    TooLarge,
}

impl GoRegexErrorKind {
    const fn text(self) -> &'static str {
        match self {
            GoRegexErrorKind::InvalidEscape => "invalid escape sequence",
            GoRegexErrorKind::InvalidCharRange => "invalid character class range",
            GoRegexErrorKind::MissingBracket => "missing closing ]",
            GoRegexErrorKind::MissingParen => "missing closing )",
            GoRegexErrorKind::UnexpectedParen => "unexpected )",
            GoRegexErrorKind::MissingRepeatArgument => "missing argument to repetition operator",
            GoRegexErrorKind::InvalidRepeatOp => "invalid nested repetition operator",
            GoRegexErrorKind::InvalidRepeatSize => "invalid repeat count",
            GoRegexErrorKind::InvalidNamedCapture => "invalid named capture",
            GoRegexErrorKind::InvalidPerlOp => "invalid or unsupported Perl syntax",
            GoRegexErrorKind::TrailingBackslash => "trailing backslash at end of expression",
            GoRegexErrorKind::UnterminatedQuote => "\\Q without closing \\E",
            GoRegexErrorKind::NestingDepth => "expression nests too deeply",
            GoRegexErrorKind::TooLarge => "expression too large",
        }
    }
}

impl fmt::Display for GoRegexErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for GoRegexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error parsing regexp: {}", self.kind)?;
        if !self.fragment.is_empty() || self.kind == GoRegexErrorKind::TrailingBackslash {
            write!(f, ": `{}`", self.fragment)?;
        }
        Ok(())
    }
}

impl std::error::Error for GoRegexError {}
