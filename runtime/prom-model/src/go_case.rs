//! Upper and lower case one character at a time, as Go does it; Rust's own mapping may lengthen the text (`ß` → `SS`).

/// The text with each character in lower case.
pub fn go_lowercase(text: &str) -> String {
    // The only character whose full mapping is longer than its simple one.
    text.chars().map(|c| if c == 'İ' { 'i' } else { single(c.to_lowercase()).unwrap_or(c) }).collect()
}

/// The text with each character in upper case.
pub fn go_uppercase(text: &str) -> String {
    text.chars().map(|c| single(c.to_uppercase()).unwrap_or_else(|| simple_upper(c))).collect()
}

fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next()?;
    if mapped.next().is_some() { None } else { Some(first) }
}

/// The simple mapping of characters whose full mapping is longer: mostly themselves, except for Greek letters with
/// iota subscript, which have a title case form.
fn simple_upper(c: char) -> char {
    let shift = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => 0,
    };
    char::from_u32(c as u32 + shift).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_changes_the_number_of_characters() {
        assert_eq!(go_uppercase("straße ﬁn ᾳ é"), "STRAßE ﬁN ᾼ É");
        assert_eq!(go_lowercase("ΟΔΟΣ İX É"), "οδοσ ix é");
    }
}
