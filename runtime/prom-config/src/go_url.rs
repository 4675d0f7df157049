//! Which texts Go takes for a URL; it takes nearly all.

/// The parts of a URL that the checks look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) host: String,
}

/// Splits a URL as Go's `url.Parse` does, or says why Go refuses it.
pub(crate) fn parse(text: &str) -> Result<Url, &'static str> {
    let text = text
        .split_once('#')
        .map_or(Ok(text), |(before, fragment)| unescape(fragment, false).map(|()| before))?;
    if text.bytes().any(|b| b < 0x20 || b == 0x7F) {
        return Err("it holds a control character");
    }
    if text == "*" {
        return Ok(Url::default());
    }
    let (scheme, rest) = split_scheme(text)?;
    let rest = match rest.strip_suffix('?') {
        Some(before) if !before.contains('?') => before,
        _ => rest.split_once('?').map_or(rest, |(before, _)| before),
    };
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            return Ok(Url { scheme, host: String::new() });
        }
        let first = rest.split('/').next().unwrap_or_default();
        if first.contains(':') {
            return Err("its first part holds a `:`, yet no scheme comes before");
        }
    }
    let mut url = Url { scheme, host: String::new() };
    let mut path = rest;
    if (!url.scheme.is_empty() || !rest.starts_with("///")) && rest.starts_with("//") {
        let after = rest.get(2..).unwrap_or_default();
        let end = after.find('/').unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        url.host = parse_authority(authority)?;
        path = tail;
    }
    unescape(path, false)?;
    Ok(url)
}

fn split_scheme(text: &str) -> Result<(String, &str), &'static str> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("the scheme before `:` is missing"),
            ':' => {
                let (scheme, rest) = text.split_at(at);
                return Ok((scheme.to_ascii_lowercase(), rest.get(1..).unwrap_or_default()));
            }
            _ => break,
        }
    }
    Ok((String::new(), text))
}

fn parse_authority(authority: &str) -> Result<String, &'static str> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    check_host(host)?;
    if let Some(user) = user {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
        if !user.chars().all(allowed) {
            return Err("the name or password holds a character that must be escaped");
        }
        unescape(user, false)?;
    }
    Ok(host.to_owned())
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let bad_port = "the port is no number";
    if host.starts_with('[') {
        let Some(end) = host.rfind(']') else { return Err("the `]` after the address is missing") };
        let (address, port) = host.split_at(end);
        if !is_port(port.get(1..).unwrap_or_default()) {
            return Err(bad_port);
        }
        let (address, zone) = match address.split_once("%25") {
            Some((address, zone)) => (address, zone),
            None => (address, ""),
        };
        unescape_host(zone, true)?;
        return unescape_host(address, false);
    }
    if let Some(at) = host.rfind(':')
        && !is_port(host.get(at..).unwrap_or_default())
    {
        return Err(bad_port);
    }
    unescape_host(host, false)
}

/// A colon with digits or nothing after it, or nothing at all.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Escapes in a host stand for bytes beyond ASCII alone; some characters may not stand there at all.
fn unescape_host(host: &str, zone: bool) -> Result<(), &'static str> {
    unescape(host, !zone)?;
    let allowed = |c: char| {
        c.is_ascii_alphanumeric()
            || !c.is_ascii()
            || "-_.~!$&'()*+,;=:[]<>\"%".contains(c)
            || zone && c == ' '
    };
    if host.chars().all(allowed) { Ok(()) } else { Err("the host holds a character that no host has") }
}

fn unescape(text: &str, host: bool) -> Result<(), &'static str> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.as_bytes().get(..2).unwrap_or_default();
        if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err("a `%` is not followed by two hexadecimal digits");
        }
        if host && digits.first().is_some_and(|b| *b < b'8') && digits != b"25" {
            return Err("the host holds an escape that no host may have");
        }
        rest = after.get(2..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn urls_that_go_takes() {
        let check = |text: &str, scheme: &str, host: &str| {
            let url = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((url.scheme.as_str(), url.host.as_str()), (scheme, host), "{text}");
        };
        check("", "", "");
        check("http://a:9090/x?y=%zz", "http", "a:9090");
        check("a/b:c", "", "");
        check("localhost:9090", "localhost", "");
        check("//host/path", "", "host");
        check("http://u:p@[::1]:80/", "http", "[::1]:80");
        check("http://exämple.org:/", "http", "exämple.org:");
        check("mailto:x y", "mailto", "");
        check("a b", "", "");
    }

    #[test]
    fn urls_that_go_refuses() {
        for bad in ["http://a:x/", ":foo", "http://[::1", "http://a b/", "1a:b", "/%zz", "a\n", "http://%41/"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
