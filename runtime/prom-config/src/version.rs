//! Versions of Prometheus, as far as a configuration depends on them.

use std::fmt;
use std::str::FromStr;

/// A release of Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
    /// The third number.
    pub patch: u16,
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidVersion(String);

impl fmt::Display for InvalidVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no version: write it as `2.53.1`", self.0)
    }
}

impl std::error::Error for InvalidVersion {}

impl Version {
    /// The oldest release whose configuration is known here.
    pub const OLDEST: Version = Version::new(2, 37, 0);
    /// The newest release whose configuration is known here.
    pub const NEWEST: Version = Version::new(3, 14, u16::MAX);

    /// Makes a version of its three numbers.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Version { major, minor, patch }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Reads `2.42.0`, `2.42` and `v2.42.0`; what follows a `-` or `+` is left out.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = || InvalidVersion(text.to_owned());
        let bare = text.strip_prefix('v').unwrap_or(text);
        let bare = bare.split(['-', '+']).next().unwrap_or(bare);
        let mut numbers = bare.split('.').map(|part| part.parse::<u16>().map_err(|_| invalid()));
        let major = numbers.next().ok_or_else(invalid)??;
        let minor = numbers.next().ok_or_else(invalid)??;
        let patch = numbers.next().transpose()?.unwrap_or(0);
        if numbers.next().is_some() {
            return Err(invalid());
        }
        Ok(Version { major, minor, patch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_written() {
        let check = |text: &str, expect| assert_eq!(text.parse::<Version>().ok(), expect, "{text}");
        check("2.42.0", Some(Version::new(2, 42, 0)));
        check("v3.1.2-rc.0", Some(Version::new(3, 1, 2)));
        check("2.53", Some(Version::new(2, 53, 0)));
        check("3", None);
        check("3.x.0", None);
        check("1.2.3.4", None);
        assert!(Version::new(3, 10, 0) > Version::new(3, 9, 9));
    }
}
