//! The natural order of texts: runs of digits count as numbers.

/// Whether a text comes before another, by the rules of the library that Prometheus uses. It is no order in the strict sense:
/// of an empty text and another one, neither comes before.
pub(super) fn is_before(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left, right);
    while !left.is_empty() && !right.is_empty() {
        let (left_run, left_rest) = run(left);
        let (right_run, right_rest) = run(right);
        let same = match (number(left_run), number(right_run)) {
            (Some(left), Some(right)) if left != right => return left < right,
            (Some(_), Some(_)) => true,
            _ => left_run == right_run,
        };
        if !same {
            return left_run < right_run;
        }
        if left_rest.is_empty() {
            return true;
        }
        (left, right) = (left_rest, right_rest);
    }
    false
}

/// Splits off a run of digits or of what is none.
fn run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

/// A run of digits as a number; none where it does not fit into 64 bits.
fn number(run: &str) -> Option<i64> {
    if run.starts_with(|c: char| c.is_ascii_digit()) { run.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::is_before;

    #[test]
    fn runs_of_digits_are_numbers() {
        for (left, right) in [
            ("pod-2", "pod-10"),
            ("1.9", "1.10"),
            ("2", "a"),
            ("a", "a1"),
            ("x007", "x8"),
            ("99999999999999999999", "99999999999999999999a"),
            ("3x", "3y"),
        ] {
            assert!(is_before(left, right), "{left} {right}");
            assert!(!is_before(right, left), "{right} {left}");
        }
    }

    #[test]
    fn an_empty_text_has_no_place() {
        assert!(!is_before("", "a") && !is_before("a", ""));
        // Numbers that are equal, written otherwise.
        assert!(is_before("01", "1") && is_before("1", "01"));
    }
}
