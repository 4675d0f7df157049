//! What must not be shown.

use serde::Deserialize;

/// A text that has neither `Debug` nor `Display`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
