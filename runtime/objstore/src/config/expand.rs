//! `$(NAME)`, as Thanos replaces it in flags that say so.

use super::{ConfigError, Environment};

/// Replaces every `$(NAME)` of letters, digits and underscores; other dollars stay as they are.
pub(super) fn expand(content: &str, environment: Environment<'_>) -> Result<String, ConfigError> {
    let mut expanded = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, behind)) = rest.split_once("$(") {
        expanded.push_str(before);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match behind.split_once(')') {
            Some((name, after)) if !name.is_empty() && name.chars().all(is_part) => {
                let value = environment(name);
                let unset = || ConfigError::UnsetVariable { name: name.to_owned() };
                expanded.push_str(&value.ok_or_else(unset)?);
                rest = after;
            }
            _ => {
                expanded.push_str("$(");
                rest = behind;
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_as_thanos_does() {
        let environment = |name: &str| match name {
            "A" => Some("alpha".to_owned()),
            "B_2" => Some("$(A)".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (content, expected) in [
            ("x: $(A)", "x: alpha"),
            ("$(A)$(B_2)$(EMPTY)!", "alpha$(A)!"),
            ("$A ${A} $$ $() $(a-b) $( A) $(", "$A ${A} $$ $() $(a-b) $( A) $("),
            ("$($(A))", "$(alpha)"),
            ("", ""),
        ] {
            assert_eq!(expand(content, &environment).unwrap(), expected, "{content}");
        }
        let error = expand("$(A) $(MISSING)", &environment).unwrap_err().to_string();
        assert!(error.contains("MISSING is not set"), "{error}");
    }
}
