//! Whether the template in a label or an annotation parses.

/// Why a template does not parse, where that is sure; `None` if it does, or may.
pub(crate) fn problem(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((_, tail)) = after.split_once("}}") else {
            return Some("`{{` is not closed by `}}`".to_owned());
        };
        rest = tail;
    }
    None
}
