//! `$(NAME)` and `$$` in the arguments of a plan, as Kubernetes has them.

/// Puts values in; names that are not known stay as they are.
pub(super) fn expand(text: &str, known: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let value = known.iter().find_map(|(name, value)| {
            let behind = from.strip_prefix("$(")?.strip_prefix(name)?.strip_prefix(')')?;
            Some((value, behind))
        });
        rest = if let Some((value, behind)) = value {
            out.push_str(value);
            behind
        } else {
            out.push('$');
            from.strip_prefix("$$").or(from.strip_prefix('$')).unwrap_or_default()
        };
    }
    out.push_str(rest);
    out
}
