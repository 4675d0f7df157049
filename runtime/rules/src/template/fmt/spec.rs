//! The format of `printf`: text, verbs, flags, widths, precisions and the numbers of arguments.

use super::super::value::Value;
use super::verb;

/// Go takes no width and no precision beyond this.
const NUMBER_MAX: i64 = 1_000_000;

/// How one verb is printed.
#[derive(Debug, Clone, Default)]
pub(super) struct Spec {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    /// `%+v`
    pub(super) plus_v: bool,
    /// `%#v`
    pub(super) sharp_v: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

/// Reads a format beside its arguments.
struct Reader<'f> {
    rest: &'f str,
    args: &'f [Value],
    next: usize,
    /// The last thing read was the number of an argument.
    numbered: bool,
    /// A number of an argument was given somewhere.
    reordered: bool,
    good: bool,
}

/// `fmt.Sprintf`, mistakes and all.
pub(in super::super) fn sprintf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut reader = Reader { rest: format, args, next: 0, numbered: false, reordered: false, good: true };
    while let Some((text, rest)) = reader.rest.split_once('%') {
        out.push_str(text);
        reader.rest = rest;
        reader.good = true;
        if !reader.verb(&mut out) {
            reader.rest = "";
        }
    }
    out.push_str(reader.rest);
    let left = args.get(reader.next..).unwrap_or_default();
    if !reader.reordered && !left.is_empty() {
        out.push_str("%!(EXTRA ");
        for (index, value) in left.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            if matches!(value, Value::Nothing | Value::Empty) {
                out.push_str("<nil>");
            } else {
                out.push_str(value.type_name());
                out.push('=');
                verb::print(&mut out, value, 'v', &Spec::default());
            }
        }
        out.push(')');
    }
    out
}

impl Reader<'_> {
    /// Prints one verb; false if the format ends before it.
    fn verb(&mut self, out: &mut String) -> bool {
        let mut spec = Spec::default();
        self.flags(&mut spec);
        self.numbered = false;
        self.argument_number();
        if self.take('*') {
            match self.int_argument() {
                Some(width) => {
                    if width < 0 {
                        spec.minus = true;
                        spec.zero = false;
                    }
                    spec.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => out.push_str("%!(BADWIDTH)"),
            }
            self.numbered = false;
        } else {
            spec.width = self.number();
            if self.numbered && spec.width.is_some() {
                self.good = false;
            }
        }
        if self.rest.len() > 1 && self.take('.') {
            if self.numbered {
                self.good = false;
            }
            self.argument_number();
            if self.take('*') {
                match self.int_argument() {
                    Some(precision) if precision >= 0 => spec.precision = usize::try_from(precision).ok(),
                    _ => out.push_str("%!(BADPREC)"),
                }
                self.numbered = false;
            } else {
                spec.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !self.numbered {
            self.argument_number();
        }
        let mut chars = self.rest.chars();
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            return false;
        };
        self.rest = chars.as_str();
        if verb == '%' {
            out.push('%');
        } else if !self.good {
            out.push_str(&format!("%!{verb}(BADINDEX)"));
        } else if let Some(value) = self.args.get(self.next) {
            if verb == 'v' {
                spec.sharp_v = std::mem::take(&mut spec.sharp);
                spec.plus_v = std::mem::take(&mut spec.plus);
            }
            verb::print(out, value, verb, &spec);
            self.next += 1;
        } else {
            out.push_str(&format!("%!{verb}(MISSING)"));
        }
        true
    }

    fn flags(&mut self, spec: &mut Spec) {
        loop {
            match self.rest.as_bytes().first() {
                Some(b'#') => spec.sharp = true,
                Some(b'0') => spec.zero = !spec.minus,
                Some(b'+') => spec.plus = true,
                Some(b'-') => {
                    spec.minus = true;
                    spec.zero = false;
                }
                Some(b' ') => spec.space = true,
                _ => return,
            }
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }

    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn number(&mut self) -> Option<usize> {
        let end = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = self.rest.get(..self.rest.len() - end.len()).unwrap_or_default();
        self.rest = end;
        let number = digits.parse::<i64>().ok().filter(|number| *number <= NUMBER_MAX)?;
        usize::try_from(number).ok()
    }

    fn int_argument(&mut self) -> Option<i64> {
        let value = self.args.get(self.next)?;
        self.next += 1;
        let number = match value {
            Value::Int(value, _) | Value::PlainDuration(value) => *value,
            Value::Uint(value, _) => i64::try_from(*value).ok()?,
            _ => return None,
        };
        (-NUMBER_MAX..=NUMBER_MAX).contains(&number).then_some(number)
    }

    /// `[3]`: which argument comes next, counted from 1.
    fn argument_number(&mut self) {
        let Some(inner) = self.rest.strip_prefix('[') else {
            self.numbered = false;
            return;
        };
        self.reordered = true;
        let Some((number, rest)) = inner.split_once(']') else {
            self.good = false;
            self.rest = inner;
            return;
        };
        self.rest = rest;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        match number.parse::<usize>().ok().filter(|_| digits) {
            Some(number) if (1..=self.args.len()).contains(&number) => {
                self.next = number - 1;
                self.numbered = true;
            }
            _ => {
                self.good = false;
                self.numbered = digits;
            }
        }
    }
}

/// Pads to the width with spaces, or with zeros where the flag asks for them.
pub(super) fn pad(out: &mut String, spec: &Spec, text: &str) {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    let fill = |out: &mut String| out.extend(std::iter::repeat_n(if spec.zero { '0' } else { ' ' }, missing));
    if spec.minus {
        out.push_str(text);
        fill(out);
    } else {
        fill(out);
        out.push_str(text);
    }
}
