//! What would be written: the inputs unpacked and expanded.

use std::fmt;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::environment::Environment;
use crate::expand::expand;
use crate::finding::{Finding, Reason};
use crate::settings::Settings;
use crate::snapshot::{FILE_BYTES_MAX, Snapshot, stays_inside};

/// How gzip begins: the magic number, and deflate as its method (RFC 1952).
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Shorter values of variables are no secrets, and too likely to occur by chance.
const MASKED_MIN: usize = 4;

/// One file: its path below the folder, and what it says.
pub(crate) type File = (String, Vec<u8>);

/// Everything that would be written.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The configuration file.
    pub config: Option<Vec<u8>>,
    /// Rule folders, in the order of the settings.
    pub rule_dirs: Vec<Vec<File>>,
    /// Folders with configuration, in the order of the settings.
    pub config_dirs: Vec<Vec<File>>,
    /// References to unset variables that were let through.
    pub unset: usize,
    /// Variables that were put in: name and value. They do not belong into messages.
    pub(crate) inserted: Vec<(String, Vec<u8>)>,
}

/// Shows sizes alone: expanded files hold secrets.
impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, bytes) = self.size();
        f.debug_struct("Candidate").field("files", &files).field("bytes", &bytes).finish_non_exhaustive()
    }
}

/// SHA-256 of a candidate or a file.
pub(crate) type Hash = [u8; 32];

impl Candidate {
    /// Unpacks and expands a snapshot.
    ///
    /// # Errors
    /// Everything that speaks against it, all files looked at.
    pub fn of(
        snapshot: Snapshot,
        settings: &Settings,
        environment: &Environment,
    ) -> Result<Self, Vec<Finding>> {
        let mut environment = environment.clone();
        for (name, value) in snapshot.variables {
            environment.set(name, value);
        }
        let mut making = Making {
            settings,
            environment: &environment,
            findings: Vec::new(),
            unset: 0,
            inserted: Vec::new(),
        };
        let config = settings
            .config_file
            .as_deref()
            .zip(snapshot.config)
            .map(|(path, bytes)| making.config(path, bytes));
        let mut config_dirs = Vec::new();
        for (directory, files) in settings.config_dirs.iter().zip(snapshot.config_dirs) {
            config_dirs.push(
                files
                    .into_iter()
                    .map(|(name, bytes)| {
                        let bytes = making.expanded(&directory.input.join(&name), bytes);
                        (name, bytes)
                    })
                    .collect(),
            );
        }
        let Making { unset, mut findings, mut inserted, .. } = making;
        // Longer values first: one may be a part of another.
        inserted.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.cmp(b)));
        inserted.dedup();
        let names = snapshot.rule_dirs.iter().chain(&config_dirs).flatten().map(|(name, _)| name);
        findings.extend(
            names
                .filter(|name| !stays_inside(name))
                .map(|name| Finding::of_file(Reason::Unreadable, name, "the name leads out of its folder")),
        );
        if !findings.is_empty() {
            return Err(findings);
        }
        Ok(Self { config, rule_dirs: snapshot.rule_dirs, config_dirs, unset, inserted })
    }

    /// A message without the values that variables have put into the files: they may be secrets.
    pub(crate) fn masked(&self, message: &str) -> String {
        self.inserted.iter().fold(message.to_owned(), |message, (name, value)| {
            match std::str::from_utf8(value) {
                Ok(value) if value.len() >= MASKED_MIN => message.replace(value, &format!("$({name})")),
                _ => message,
            }
        })
    }

    /// Identifies the content.
    pub fn hash(&self) -> Hash {
        let mut sum = Sha256::new();
        let mut add = |bytes: &[u8]| {
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        };
        add(&[u8::from(self.config.is_some())]);
        add(self.config.as_deref().unwrap_or_default());
        for directories in [&self.rule_dirs, &self.config_dirs] {
            add(&(directories.len() as u64).to_be_bytes());
            for files in directories {
                add(&(files.len() as u64).to_be_bytes());
                for (name, bytes) in files {
                    add(name.as_bytes());
                    add(bytes);
                }
            }
        }
        sum.finalize().into()
    }

    /// How many files there are, and how many bytes.
    pub fn size(&self) -> (usize, u64) {
        let files = self.rule_dirs.iter().chain(&self.config_dirs).flatten().map(|(_, bytes)| bytes);
        let all = self.config.iter().chain(files);
        all.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes.len() as u64))
    }
}

struct Making<'a> {
    settings: &'a Settings,
    environment: &'a Environment,
    findings: Vec<Finding>,
    unset: usize,
    inserted: Vec<(String, Vec<u8>)>,
}

impl Making<'_> {
    /// The configuration is touched only where a copy is written: what is read in place is read as it is.
    fn config(&mut self, path: &Path, bytes: Vec<u8>) -> Vec<u8> {
        if self.settings.config_output.is_none() {
            return bytes;
        }
        self.expanded(path, bytes)
    }

    fn expanded(&mut self, path: &Path, bytes: Vec<u8>) -> Vec<u8> {
        let bytes = match unpacked(bytes) {
            Ok(bytes) => bytes,
            Err((reason, message)) => {
                self.findings.push(Finding::of_file(reason, path.display(), message));
                return Vec::new();
            }
        };
        let expanded = expand(&bytes, self.environment);
        if expanded.bytes.len() as u64 > FILE_BYTES_MAX {
            let text = format!("with its variables expanded it is larger than {} MiB", FILE_BYTES_MAX >> 20);
            self.findings.push(Finding::of_file(Reason::TooLarge, path.display(), text));
        }
        self.inserted.extend(
            expanded
                .inserted
                .iter()
                .filter_map(|name| Some((name.clone(), self.environment.get(name)?.to_vec()))),
        );
        self.unset += expanded.unset.len();
        if !self.settings.tolerate_unset_variables {
            self.findings.extend(expanded.unset.into_iter().map(|unset| Finding {
                reason: Reason::UnsetVariable,
                file: path.display().to_string(),
                place: Some((unset.line, unset.column)),
                message: format!(
                    "$({0}) names a variable that is not set; set {0} in the reloader's environment",
                    unset.name
                ),
            }));
        }
        expanded.bytes
    }
}

/// Unpacks what begins as gzip does, and leaves the rest alone.
pub(crate) fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>, (Reason, String)> {
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes.as_slice())
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut plain)
        .map_err(|error| (Reason::Gzip, format!("begins as gzip does but cannot be unpacked: {error}")))?;
    if plain.len() as u64 > FILE_BYTES_MAX {
        return Err((Reason::TooLarge, format!("unpacks to more than {} MiB", FILE_BYTES_MAX >> 20)));
    }
    Ok(plain)
}

/// SHA-256 as text.
pub(crate) fn hex(hash: &[u8]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
