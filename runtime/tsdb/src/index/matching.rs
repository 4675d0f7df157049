//! From matchers to postings.
//!
//! A matcher that the empty value does not satisfy selects: the series of the values that satisfy it are intersected. One that
//! the empty value satisfies is also satisfied by series without the label, of which no list exists; it subtracts: the series
//! of the values that do not satisfy it are taken away from the others.

use prom_model::{MatchOp, Matcher};

use crate::corruption::Corruption;
use crate::stored::Window;

use super::offsets::PostingsWalk;
use super::postings::{Postings, Union};
use super::reader::IndexReader;

pub(crate) fn postings_for_matchers(
    index: &IndexReader,
    matchers: &[Matcher],
) -> Result<Postings, Corruption> {
    // A label without a name is on no series.
    if matchers.iter().any(|matcher| matcher.name().is_empty() && !matcher.matches_empty()) {
        return Ok(Postings::default());
    }
    let matchers = || matchers.iter().filter(|matcher| !matcher.name().is_empty());
    let mut selected = Vec::new();
    for matcher in matchers().filter(|matcher| !matcher.matches_empty()) {
        let list = select(index, matcher, &Values::satisfying(matcher))?;
        if list.is_empty() {
            return Ok(Postings::default());
        }
        selected.push(list);
    }
    let mut left = if selected.is_empty() { index.all_postings()? } else { Postings::intersect(selected) };
    for matcher in matchers().filter(|matcher| matcher.matches_empty()) {
        if left.is_empty() {
            break;
        }
        left = left.without(&select(index, matcher, &Values::violating(matcher))?);
    }
    Ok(left)
}

/// Which values of a label are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Values<'a> {
    None,
    All,
    /// These, in order.
    Listed(Vec<&'a str>),
    /// Those that begin like this and satisfy the matcher.
    Prefixed(String),
    /// Those for which the matcher says so.
    Tested(bool),
}

impl<'a> Values<'a> {
    pub(crate) fn satisfying(matcher: &'a Matcher) -> Self {
        let listed = matcher.regex().and_then(|regex| regex.literals());
        match (matcher.op(), listed) {
            (MatchOp::Equal, _) => Values::Listed(vec![matcher.value()]),
            (MatchOp::NotEqual, _) if matcher.value().is_empty() => Values::All,
            (MatchOp::Regex, Some(listed)) => Values::list(listed),
            (MatchOp::Regex, None) if matcher.value() == ".+" => Values::All,
            (MatchOp::Regex, None) => match literal_prefix(matcher.value()) {
                "" => Values::Tested(true),
                prefix => Values::Prefixed(prefix.to_owned()),
            },
            _ => Values::Tested(true),
        }
    }

    pub(crate) fn violating(matcher: &'a Matcher) -> Self {
        let listed = matcher.regex().and_then(|regex| regex.literals());
        match (matcher.op(), listed) {
            (MatchOp::NotEqual, _) => Values::Listed(vec![matcher.value()]),
            (MatchOp::Equal, _) if matcher.value().is_empty() => Values::All,
            (MatchOp::NotRegex, Some(listed)) => Values::list(listed),
            (MatchOp::NotRegex, None) if matcher.value() == ".+" => Values::All,
            (MatchOp::Regex, None) if matcher.value() == ".*" => Values::None,
            _ => Values::Tested(false),
        }
    }

    fn list(listed: &'a [String]) -> Self {
        let mut values: Vec<&str> = listed.iter().map(String::as_str).collect();
        values.sort_unstable();
        values.dedup();
        Values::Listed(values)
    }
}

/// The series of the values of the matcher's label that are wanted.
fn select(index: &IndexReader, matcher: &Matcher, values: &Values<'_>) -> Result<Postings, Corruption> {
    let name = matcher.name();
    match values {
        Values::None => Ok(Postings::default()),
        Values::Listed(values) => match values.as_slice() {
            [] => Ok(Postings::default()),
            [value] => index.postings(name, value),
            values => listed(index, name.as_bytes(), values),
        },
        // A value that is empty is no value: such a series is as one without the label.
        Values::All => tested(index, index.label_values(name), |value| Some(!value.is_empty())),
        Values::Prefixed(prefix) => {
            let walk = index.table().walk_near(name.as_bytes(), prefix.as_bytes());
            tested(index, walk, |value| {
                if value.starts_with(prefix.as_bytes()) {
                    return Some(matcher.matches(&String::from_utf8_lossy(value)));
                }
                if value < prefix.as_bytes() { Some(false) } else { None }
            })
        }
        Values::Tested(wanted) => tested(index, index.label_values(name), |value| {
            Some(matcher.matches(&String::from_utf8_lossy(value)) == *wanted)
        }),
    }
}

/// The series of values that ascend.
fn listed(index: &IndexReader, name: &[u8], values: &[&str]) -> Result<Postings, Corruption> {
    let Some(first) = values.first() else { return Ok(Postings::default()) };
    let Some(mut walk) = index.table().walk_near(name, first.as_bytes()) else {
        return Ok(Postings::default());
    };
    let mut union = Union::default();
    let mut window = Window::new(index.file().clone());
    let mut values = values.iter().map(|value| value.as_bytes()).peekable();
    while let Some(wanted) = values.peek().copied() {
        index.table().skip_to(&mut walk, name, wanted);
        let Some(entry) = walk.next_entry()? else { break };
        while values.next_if(|value| *value < entry.value).is_some() {}
        if values.next_if(|value| *value == entry.value).is_some() {
            index.add_postings(&mut window, entry.offset, &mut union)?;
        }
    }
    Ok(union.finish())
}

/// The series of the values of a walk for which `test` says so; at `None` the walk ends.
fn tested(
    index: &IndexReader,
    walk: Option<PostingsWalk>,
    mut test: impl FnMut(&[u8]) -> Option<bool>,
) -> Result<Postings, Corruption> {
    let mut union = Union::default();
    let Some(mut walk) = walk else { return Ok(Postings::default()) };
    let mut window = Window::new(index.file().clone());
    while let Some(entry) = walk.next_entry()? {
        match test(entry.value) {
            None => break,
            Some(false) => {}
            Some(true) => index.add_postings(&mut window, entry.offset, &mut union)?,
        }
    }
    Ok(union.finish())
}

/// Text with which every match of a pattern begins: may be shorter than possible, never longer.
fn literal_prefix(pattern: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:/ =,@%#~'\"<>&;!".contains(&byte);
    if pattern.contains('|') {
        return "";
    }
    let length = pattern.bytes().take_while(|byte| plain(*byte)).count();
    // What a quantifier stands behind may be there no time at all.
    let optional = matches!(pattern.as_bytes().get(length), Some(b'*' | b'?' | b'{'));
    pattern.get(..length - usize::from(optional && length > 0)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_never_too_long() {
        for (pattern, prefix) in [
            ("abc.*", "abc"),
            ("abc", "abc"),
            ("abc*", "ab"),
            ("abc?d", "ab"),
            ("abc{0,2}", "ab"),
            ("abc+", "abc"),
            ("a|b", ""),
            ("ab.*|b", ""),
            ("(?i)abc", ""),
            (r"a\.b", "a"),
            (".*", ""),
            ("*", ""),
            ("", ""),
        ] {
            assert_eq!(literal_prefix(pattern), prefix, "{pattern}");
        }
    }
}
