//! Keys from `~/.aws/credentials`, which `object_store` does not read.

use std::path::PathBuf;

use crate::config::{Environment, Secret};

/// Keys of one profile.
pub(super) struct ProfileKeys {
    pub(super) access_key: String,
    pub(super) secret_key: Secret,
    pub(super) session_token: Option<Secret>,
}

/// The keys of the profile that the environment names, `default` where it names none; nothing where there is no such file.
#[expect(clippy::disallowed_methods, reason = "the file is where Amazon's tools put it")]
pub(super) fn read(environment: Environment<'_>) -> Option<ProfileKeys> {
    let path = match environment("AWS_SHARED_CREDENTIALS_FILE") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(environment("HOME")?).join(".aws/credentials"),
    };
    let profile = environment("AWS_PROFILE").filter(|profile| !profile.is_empty());
    parse(&std::fs::read_to_string(path).ok()?, profile.as_deref().unwrap_or("default"))
}

fn parse(text: &str, profile: &str) -> Option<ProfileKeys> {
    let (mut access_key, mut secret_key, mut session_token) = (None, None, None);
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = section.trim() == profile;
        } else if inside && !line.starts_with(['#', ';']) {
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim().to_owned();
            match key.trim() {
                "aws_access_key_id" => access_key = Some(value),
                "aws_secret_access_key" => secret_key = Some(Secret::new(value)),
                "aws_session_token" => session_token = Some(Secret::new(value)),
                _ => {}
            }
        }
    }
    Some(ProfileKeys { access_key: access_key?, secret_key: secret_key?, session_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_profile_is_read() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=B==\n# x\n[ other ]\n\
                    aws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n[half]\naws_access_key_id=F\n";
        let keys = parse(text, "default").unwrap();
        assert_eq!((keys.access_key.as_str(), keys.secret_key.expose()), ("A", "B=="));
        assert!(keys.session_token.is_none());
        let keys = parse(text, "other").unwrap();
        assert_eq!((keys.access_key.as_str(), keys.session_token.unwrap().expose()), ("C", "E"));
        assert!(parse(text, "half").is_none());
        assert!(parse(text, "missing").is_none());
    }
}
