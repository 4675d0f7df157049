//! Label selectors of Kubernetes, as far as their verdict is plain.

/// Whether a selector is a list of `name`, `!name`, `name=value` and `name!=value` with plain names and values.
///
/// Everything else is left to Kubernetes' own library.
pub(super) fn is_plain(selector: &str) -> bool {
    if selector.trim().is_empty() || selector.contains(['(', ')']) {
        return true;
    }
    selector.split(',').all(|term| {
        let term = term.trim();
        let (name, value) = match term.split_once('=') {
            Some((name, value)) => (name.trim_end_matches('!'), value.trim_start_matches('=')),
            None => (term.trim_start_matches('!'), ""),
        };
        let (prefix, name) = name.trim().rsplit_once('/').unwrap_or(("", name.trim()));
        (prefix.is_empty() || is_word(prefix))
            && is_word(name)
            && (value.trim().is_empty() || is_word(value.trim()))
    })
}

fn is_word(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    !text.is_empty()
        && text.len() <= 253
        && text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn only_plain_selectors_are_judged() {
        for good in ["", "a=b", "a!=b,!c", "app.kubernetes.io/name==x", "a in (b, c)"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["=", "a=b=c", "-a", "a b"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
