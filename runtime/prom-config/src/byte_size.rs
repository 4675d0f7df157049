//! Numbers of bytes with binary units, as the settings for sizes read them.

/// Reads a size such as `10MB`, `1.5GiB` or `0`; all units count in 1024s. `None` if it is none.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(0.0);
    }
    // A size is written with `iB` throughout, or with `B` throughout.
    let size = sum(rest, "iB").or_else(|| sum(rest, "B"))?;
    let size = if text.starts_with('-') { -size } else { size };
    (-9.3e18..9.223_372_036_854_775e18).contains(&size).then_some(size)
}

fn sum(text: &str, suffix: &str) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let unit_at = rest.find(|c| !is_number(c))?;
        let (number, after) = rest.split_at(unit_at);
        if number.matches('.').count() > 1 || number == "." || number.is_empty() {
            return None;
        }
        let number: f64 = number.parse().ok()?;
        let end = after.find(is_number).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let power = if unit == "B" {
            0
        } else {
            let prefix = unit.strip_suffix(suffix)?;
            match prefix {
                "K" => 1,
                "M" => 2,
                "G" => 3,
                "T" => 4,
                "P" => 5,
                "E" => 6,
                _ => return None,
            }
        };
        total += number * 1024_f64.powi(power);
        rest = after;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes() {
        assert_eq!(parse("0"), Some(0.0));
        assert_eq!(parse("10B"), Some(10.0));
        assert_eq!(parse("1.5KiB"), Some(1536.0));
        assert_eq!(parse("1KB"), Some(1024.0));
        assert_eq!(parse("1MB512KB"), Some(1_572_864.0));
        assert_eq!(parse("-1GB"), Some(-1_073_741_824.0));
        for bad in ["", "10", "1kB", "MB", "1.2.3MB", "1 MB", "1MiB2KB", "99EB9", "9000000EB"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
