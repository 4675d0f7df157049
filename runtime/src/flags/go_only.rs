//! Flags that concern Go's runtime: taken, so that a command line can stay as it is, and without effect.

use clap::Args;

/// `--enable-auto-gomemlimit`, `--auto-gomemlimit.ratio`.
#[derive(Debug, Args)]
pub(crate) struct GoOnlyFlags {
    /// Accepted; memory is bounded by budgets here
    #[arg(long = "enable-auto-gomemlimit", id = "enable-auto-gomemlimit")]
    _memory_limit: bool,
    /// Accepted; memory is bounded by budgets here
    #[arg(
        long = "auto-gomemlimit.ratio",
        id = "auto-gomemlimit.ratio",
        value_name = "RATIO",
        default_value_t = 0.9
    )]
    _ratio: f64,
}
