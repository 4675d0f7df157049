//! Types of single values: durations, sizes, names, globs, secret references.

use prom_model::PromDuration;

use super::decode::{FromValue, wrong_type};
use super::tree::{Scalar, Value};
use crate::diagnostic::Diagnostic;

macro_rules! number {
    ($ty:ty, $expected:literal) => {
        impl FromValue for $ty {
            const EXPECTED: &'static str = $expected;
            fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
                let read = match &value.scalar {
                    Scalar::Int(number) => <$ty>::try_from(*number).ok(),
                    _ => None,
                };
                if read.is_none() {
                    let help = match &value.scalar {
                        Scalar::Str(text) if text.parse::<$ty>().is_ok() => {
                            format!("numbers have no quotes: write {text}")
                        }
                        _ => format!("write a whole number from 0 to {}, without quotes", <$ty>::MAX),
                    };
                    wrong_type(value, Self::EXPECTED, help, diagnostics);
                }
                read
            }
        }
    };
}
number!(u16, "a port number");
number!(u32, "a whole number");
number!(u64, "a whole number");

impl FromValue for f64 {
    const EXPECTED: &'static str = "a number";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        match &value.scalar {
            Scalar::Int(number) => Some(*number as f64),
            Scalar::Float(number) if number.is_finite() => Some(*number),
            _ => {
                wrong_type(
                    value,
                    Self::EXPECTED,
                    "write a number such as 2 or 0.5, without quotes",
                    diagnostics,
                );
                None
            }
        }
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "#true or #false";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        match &value.scalar {
            Scalar::Bool(flag) => Some(*flag),
            other => {
                let help = match other {
                    Scalar::Str(text) if matches!(text.as_str(), "true" | "yes" | "on") => "write #true",
                    Scalar::Str(text) if matches!(text.as_str(), "false" | "no" | "off") => "write #false",
                    Scalar::Int(1) => "write #true",
                    Scalar::Int(0) => "write #false",
                    _ => "write #true or #false",
                };
                wrong_type(value, Self::EXPECTED, help, diagnostics);
                None
            }
        }
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "a string";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        match &value.scalar {
            Scalar::Str(text) => Some(text.clone()),
            other => {
                let help = match other {
                    Scalar::Null => "write text, or leave it out".to_string(),
                    other => format!("write \"{}\"", other.written().trim_start_matches('#')),
                };
                wrong_type(value, Self::EXPECTED, help, diagnostics);
                None
            }
        }
    }
}

/// Text that may also be written as a number or as `#true`: label values, flag values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl FromValue for Text {
    const EXPECTED: &'static str = "text";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        match &value.scalar {
            Scalar::Str(text) => Some(Text(text.clone())),
            Scalar::Int(number) => Some(Text(number.to_string())),
            Scalar::Float(number) => Some(Text(number.to_string())),
            Scalar::Bool(flag) => Some(Text(flag.to_string())),
            Scalar::Null => {
                wrong_type(value, Self::EXPECTED, "write text, or leave it out", diagnostics);
                None
            }
        }
    }
}

impl FromValue for PromDuration {
    const EXPECTED: &'static str = "a duration such as \"15s\"";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let help = match &value.scalar {
            Scalar::Str(text) => match text.parse::<PromDuration>() {
                Ok(duration) => return Some(duration),
                Err(_) => match text.trim().parse::<u64>() {
                    Ok(number) => format!("durations have a unit: write \"{number}s\""),
                    Err(_) if text.starts_with('-') => "durations are not negative".to_string(),
                    Err(_) if text.contains('.') => {
                        "durations have no fractions: \"1m30s\" instead of \"1.5m\"".to_string()
                    }
                    Err(_) => "units are ms, s, m, h, d, w, y, from large to small: \"1h30m\"".to_string(),
                },
            },
            Scalar::Int(number) => format!("durations are strings: write \"{number}s\""),
            _ => "write it as a string with a unit: \"15s\"".to_string(),
        };
        wrong_type(value, Self::EXPECTED, help, diagnostics);
        None
    }
}

/// An amount of bytes, as written and as a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// As written: `2Gi`, `500MB`.
    pub text: String,
    /// In bytes.
    pub bytes: u64,
}

impl Size {
    /// Reads `2Gi` (Kubernetes) and `500MB` (Thanos, decimal prefixes meaning powers of two there are not used here).
    pub fn parse(text: &str) -> Option<Size> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let number: f64 = text[..digits].parse().ok()?;
        let factor: u64 = match &text[digits..] {
            "" | "B" => 1,
            "k" | "K" | "kB" | "KB" => 1000,
            "M" | "MB" => 1000_u64.pow(2),
            "G" | "GB" => 1000_u64.pow(3),
            "T" | "TB" => 1000_u64.pow(4),
            "P" | "PB" => 1000_u64.pow(5),
            "Ki" | "KiB" => 1 << 10,
            "Mi" | "MiB" => 1 << 20,
            "Gi" | "GiB" => 1 << 30,
            "Ti" | "TiB" => 1 << 40,
            "Pi" | "PiB" => 1 << 50,
            _ => return None,
        };
        let bytes = number * factor as f64;
        (bytes.is_finite() && (0.0..9e18).contains(&bytes))
            .then(|| Size { text: text.to_string(), bytes: bytes as u64 })
    }

    /// As Kubernetes reads it: `500MB` becomes `500M`, `2GiB` becomes `2Gi`.
    pub fn quantity(&self) -> String {
        let text = self.text.strip_suffix('B').unwrap_or(&self.text);
        text.replace('K', if text.ends_with("Ki") { "K" } else { "k" })
    }

    /// As Thanos' byte flags read it: with a final `B`.
    pub fn thanos(&self) -> String {
        if self.text.ends_with('B') { self.text.clone() } else { format!("{}B", self.text) }
    }
}

/// `50gi` as `50Gi`.
fn capital_unit(text: &str) -> Option<String> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let mut unit = text[digits..].chars();
    let fixed = format!(
        "{}{}{}",
        &text[..digits],
        unit.next()?.to_ascii_uppercase(),
        unit.as_str().replace('b', "B")
    );
    Size::parse(&fixed).map(|_| fixed)
}

impl FromValue for Size {
    const EXPECTED: &'static str = "a size such as \"2Gi\"";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let read = match &value.scalar {
            // Without a unit it would be bytes, which nobody means.
            Scalar::Str(text) => Size::parse(text)
                .filter(|size| size.bytes > 0 && !text.ends_with(|c: char| c.is_ascii_digit() || c == '.')),
            _ => None,
        };
        if read.is_none() {
            let units = "units are Ki, Mi, Gi, Ti (powers of 1024) and k, M, G, T (powers of 1000)";
            let help = match &value.scalar {
                Scalar::Int(number) => format!("sizes are strings with a unit: write \"{number}Gi\""),
                Scalar::Str(text) => capital_unit(text)
                    .map_or(units.to_string(), |fixed| format!("units have capitals: write \"{fixed}\"")),
                _ => units.to_string(),
            };
            wrong_type(value, Self::EXPECTED, help, diagnostics);
        }
        read
    }
}

/// Processor share in Kubernetes' form: `2`, `0.5`, `"500m"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpu(pub String);

impl FromValue for Cpu {
    const EXPECTED: &'static str = "processors such as 2 or \"500m\"";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = match &value.scalar {
            Scalar::Int(number) if *number > 0 => number.to_string(),
            Scalar::Float(number) if *number > 0.0 && number.is_finite() => {
                format!("{}m", (number * 1000.0).round())
            }
            Scalar::Str(text) => text.clone(),
            _ => String::new(),
        };
        let digits = text.strip_suffix('m').unwrap_or(&text);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.parse::<f64>().is_err() {
            wrong_type(
                value,
                Self::EXPECTED,
                "whole processors, or thousandths: cpu=2, cpu=\"500m\"",
                diagnostics,
            );
            return None;
        }
        Some(Cpu(text))
    }
}

/// Label names, separated by commas: `__address__` or `namespace,pod`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelList(pub Vec<String>);

impl FromValue for LabelList {
    const EXPECTED: &'static str = "label names separated by commas";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let Scalar::Str(text) = &value.scalar else {
            wrong_type(value, Self::EXPECTED, "write from=\"namespace,pod\"", diagnostics);
            return None;
        };
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_string()).collect();
        // A name that is not there would quietly change what the rule looks at.
        if names.iter().any(String::is_empty) {
            diagnostics.push(
                Diagnostic::error(
                    "KDL006",
                    value.span,
                    format!("expected {}, found an empty name", Self::EXPECTED),
                )
                .help("write from=\"namespace,pod\""),
            );
            return None;
        }
        Some(LabelList(names))
    }
}

/// A version: `0.42.4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionText(pub String);

impl FromValue for VersionText {
    const EXPECTED: &'static str = "a version such as \"3.14.0\"";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = match &value.scalar {
            Scalar::Str(text) => text.strip_prefix('v').unwrap_or(text).to_string(),
            Scalar::Float(_) => {
                diagnostics.push(
                    Diagnostic::error(
                        "KDL006",
                        value.span,
                        format!("expected {}, found a number", Self::EXPECTED),
                    )
                    .help("versions stand in quotes: as a number, 1.30 is 1.3"),
                );
                return None;
            }
            _ => String::new(),
        };
        let parts: Vec<&str> = text.split(['-', '+']).next().unwrap_or("").split('.').collect();
        let legal = (2..=3).contains(&parts.len()) && parts.iter().all(|part| part.parse::<u16>().is_ok());
        if !legal {
            wrong_type(value, Self::EXPECTED, "two or three numbers in quotes: \"3.14.0\"", diagnostics);
            return None;
        }
        Some(VersionText(text))
    }
}

/// A secret: a reference, or the literal that only the `bare` profile tolerates.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretValue {
    /// `secret:NAME/KEY`: a key of a Kubernetes Secret.
    Reference {
        /// Name of the Secret.
        name: String,
        /// Key inside.
        key: String,
    },
    /// `file:PATH`: a file on the machine, for local runs.
    File(String),
    /// The secret itself.
    Literal(String),
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretValue::Reference { name, key } => write!(f, "secret:{name}/{key}"),
            SecretValue::File(path) => write!(f, "file:{path}"),
            SecretValue::Literal(_) => f.write_str("<redacted>"),
        }
    }
}

impl FromValue for SecretValue {
    const EXPECTED: &'static str = "a secret reference such as \"secret:NAME/KEY\"";
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let Scalar::Str(text) = &value.scalar else {
            // The value is not shown: it may be the secret.
            let message = format!("expected {}", Self::EXPECTED);
            let help = "a secret is text; keep it out of this file and name the Secret that holds it";
            diagnostics.push(Diagnostic::error("KDL006", value.span, message).help(help));
            return None;
        };
        if let Some(rest) = text.strip_prefix("secret:") {
            return match rest.split_once('/') {
                Some((name, key)) if !name.is_empty() && !key.is_empty() && !key.contains('/') => {
                    Some(SecretValue::Reference { name: name.to_string(), key: key.to_string() })
                }
                _ => {
                    diagnostics.push(
                        Diagnostic::error(
                            "KDL006",
                            value.span,
                            "a secret reference names a Secret and a key",
                        )
                        .help("write \"secret:NAME/KEY\""),
                    );
                    None
                }
            };
        }
        if text == "file:" {
            diagnostics.push(
                Diagnostic::error("KDL006", value.span, "a file reference names a path")
                    .help("write \"file:PATH\""),
            );
            return None;
        }
        Some(match text.strip_prefix("file:") {
            Some(path) => SecretValue::File(path.to_string()),
            None => SecretValue::Literal(text.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_both_dialects() {
        assert_eq!(Size::parse("2Gi").map(|s| s.bytes), Some(2 << 30));
        assert_eq!(Size::parse("500MB").map(|s| s.quantity()), Some("500M".to_string()));
        assert_eq!(Size::parse("64Ki").map(|s| s.quantity()), Some("64Ki".to_string()));
        assert_eq!(Size::parse("1.5Gi").map(|s| s.bytes), Some(1_610_612_736));
        assert_eq!(Size::parse("2Gx"), None);
        assert_eq!(Size::parse("Gi"), None);
    }

    #[test]
    fn a_literal_secret_never_shows() {
        assert_eq!(format!("{:?}", SecretValue::Literal("hunter2".into())), "<redacted>");
    }
}
