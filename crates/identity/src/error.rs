//! What can go wrong with a key.

use dray_platform::FileError;

/// Why a machine has no identity, or no TLS configuration made from it.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key file cannot be read or written.
    #[error("the node's key is not available: {0}")]
    File(#[from] FileError),
    /// The key cannot be written in its file's form.
    #[error("the node's key cannot be encoded: {0}")]
    Encode(String),
    /// No certificate could be made from the key.
    #[error("no certificate could be made from the node's key: {0}")]
    Certificate(String),
    /// The TLS library refused the configuration.
    #[error("no TLS configuration could be made from the node's key: {0}")]
    Tls(#[from] rustls::Error),
}

/// Why a name and a text are not a group. The text itself is never shown: it is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The name has no letters, or too many, or characters that do not print.
    #[error("a group's name has 1 to {max} printable bytes", max = crate::MAX_GROUP_NAME)]
    Name,
    /// The text does not have the form of a group key.
    #[error("a group key is written as dray-group-1: and 72 hex digits")]
    Form,
    /// It has the form, but a digit is wrong.
    #[error("the group key has a typing error: its check digits do not fit")]
    Check,
}
