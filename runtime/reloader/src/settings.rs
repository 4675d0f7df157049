//! What the reloader is told to do: the flags, resolved.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// All of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration to watch: `--reloader.config-file`.
    pub config_file: Option<PathBuf>,
    /// Where it is written after expansion: `--reloader.config-envsubst-file`. Without it Prometheus reads the input itself.
    pub config_output: Option<PathBuf>,
    /// Folders with rule files: `--reloader.rule-dir`, and `--reloader.rule-output-dir` in the same order.
    pub rule_dirs: Vec<Directory>,
    /// Folders with more configuration, expanded: `--reloader.config-dir`, `--reloader.config-envsubst-dir`.
    pub config_dirs: Vec<Directory>,
    /// Folders in which each file is a variable, as a mounted Secret: `--reloader.env-dir`.
    pub environment_dirs: Vec<PathBuf>,
    /// How often everything is read again without an event; zero means once.
    pub watch_interval: Duration,
    /// How long to wait before the next try.
    pub retry_interval: Duration,
    /// How the process is told.
    pub method: Method,
    /// Which process it is.
    pub target: TargetKind,
    /// Leave `$(VAR)` of an unset variable as it is, instead of refusing the input.
    pub tolerate_unset_variables: bool,
    /// Whether promtool has a say.
    pub promtool: Promtool,
}

/// An input folder, and where its files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The folder that is watched.
    pub input: PathBuf,
    /// Where verified copies go. Without it the process reads the input itself, and nothing can be kept from it.
    pub output: Option<PathBuf>,
}

/// How the process is told that there is something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// `POST /-/reload`.
    Http,
    /// SIGHUP to the process of this name.
    Signal {
        /// As in `/proc/PID/comm`.
        process_name: String,
    },
}

/// Which kind of process reads the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// Prometheus, or what reads its configuration and rules.
    Prometheus,
    /// Alertmanager.
    Alertmanager,
}

/// Whether promtool (amtool for an Alertmanager) has a say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promtool {
    /// If one is found that has Prometheus' own version.
    Auto,
    /// No.
    Off,
    /// This one, whatever its version.
    Path(PathBuf),
}

/// Settings that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// An output without an input.
    #[error(
        "--reloader.config-envsubst-file needs --reloader.config-file: it says where the expanded file goes"
    )]
    OutputAlone,
    /// Input and output are one file.
    #[error("{flag}: {path} is input and output at once; give the output another place")]
    SamePath {
        /// The flag of the output.
        flag: &'static str,
        /// The path.
        path: String,
    },
    /// Lists that belong together have unequal lengths.
    #[error("{outputs} is given {count} times and {inputs} {wanted} times: they belong together in order")]
    Unpaired {
        /// Flag of the outputs.
        outputs: &'static str,
        /// How often.
        count: usize,
        /// Flag of the inputs.
        inputs: &'static str,
        /// How often.
        wanted: usize,
    },
    /// A folder with configuration has no output.
    #[error("--reloader.config-dir={0} has no --reloader.config-envsubst-dir: expanded files need a place")]
    NoOutput(String),
}

impl Directory {
    /// Pairs inputs with outputs; outputs may be left out altogether.
    ///
    /// # Errors
    /// When there are some outputs, but not one for each input.
    pub fn pair(
        (inputs_flag, inputs): (&'static str, Vec<PathBuf>),
        (outputs_flag, outputs): (&'static str, Vec<PathBuf>),
    ) -> Result<Vec<Self>, SettingsError> {
        if !outputs.is_empty() && outputs.len() != inputs.len() {
            return Err(SettingsError::Unpaired {
                outputs: outputs_flag,
                count: outputs.len(),
                inputs: inputs_flag,
                wanted: inputs.len(),
            });
        }
        let mut outputs = outputs.into_iter();
        Ok(inputs.into_iter().map(|input| Self { input, output: outputs.next() }).collect())
    }
}

impl Settings {
    /// Looks for contradictions.
    ///
    /// # Errors
    /// The first one.
    pub fn check(&self) -> Result<(), SettingsError> {
        match (&self.config_file, &self.config_output) {
            (None, Some(_)) => return Err(SettingsError::OutputAlone),
            (Some(input), Some(output)) if input == output => {
                return Err(SettingsError::SamePath {
                    flag: "--reloader.config-envsubst-file",
                    path: output.display().to_string(),
                });
            }
            _ => {}
        }
        if let Some(alone) = self.config_dirs.iter().find(|directory| directory.output.is_none()) {
            return Err(SettingsError::NoOutput(alone.input.display().to_string()));
        }
        let pairs = [
            ("--reloader.rule-output-dir", &self.rule_dirs),
            ("--reloader.config-envsubst-dir", &self.config_dirs),
        ];
        for (flag, directories) in pairs {
            if let Some(same) = directories.iter().find(|one| one.output.as_ref() == Some(&one.input)) {
                return Err(SettingsError::SamePath { flag, path: same.input.display().to_string() });
            }
        }
        Ok(())
    }

    /// Whether there is anything to watch.
    pub fn watches_something(&self) -> bool {
        self.config_file.is_some() || !self.rule_dirs.is_empty() || !self.config_dirs.is_empty()
    }

    /// Inputs that the process reads without us in between, so that nothing can be kept from it.
    pub fn read_in_place(&self) -> Vec<String> {
        let config = self.config_file.iter().filter(|_| self.config_output.is_none());
        let rules = self.rule_dirs.iter().filter(|one| one.output.is_none()).map(|one| &one.input);
        config.chain(rules).map(|path| path.display().to_string()).collect()
    }
}
