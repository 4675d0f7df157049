//! The flags of the block viewer, as the store gateway and the compactor have them.

use clap::Args;
use tracing::warn;

/// `--web.*`, `--bucket-web-label`, `--disable-admin-operations`.
#[derive(Debug, Args)]
pub(crate) struct ViewerFlags {
    /// Do not serve the block viewer
    #[arg(long = "web.disable")]
    pub(crate) disable: bool,
    /// Accepted; links are relative
    #[arg(long = "web.external-prefix", value_name = "PATH", default_value = "")]
    external_prefix: String,
    /// Accepted; links are relative and need no such header
    #[arg(long = "web.prefix-header", value_name = "HEADER", default_value = "")]
    prefix_header: String,
    /// Do not allow other sites to read the API
    #[arg(long = "web.disable-cors")]
    pub(crate) disable_cors: bool,
    /// External label whose value is the title of a group
    #[arg(long = "bucket-web-label", value_name = "NAME", default_value = "")]
    pub(crate) label: String,
    /// Refuse to mark blocks through the page and the API
    #[arg(long = "disable-admin-operations")]
    pub(crate) disable_admin_operations: bool,
}

impl ViewerFlags {
    /// Names what has no effect.
    pub(crate) fn warn_of_what_has_no_effect(&self) {
        for (given, flag) in [
            (!self.external_prefix.is_empty(), "--web.external-prefix"),
            (!self.prefix_header.is_empty(), "--web.prefix-header"),
        ] {
            if given {
                warn!(msg = "a flag has no effect, see --help", flag);
            }
        }
    }
}
