//! Digests as people, jobs and origins write them: `sha256:HEX`, `sha512:HEX`, `blake3:HEX`.

use std::fmt;
use std::str::FromStr;

/// The hash functions by which a whole file can be named. All are collision resistant: a weaker sum is never a [`Digest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
    /// BLAKE3 with its default 32-byte output.
    Blake3,
}

impl Algorithm {
    /// Every algorithm, in the order in which digests are listed.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha512, Self::Blake3];

    /// The prefix of the text form.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
        }
    }

    /// Length of the digest in bytes.
    #[must_use]
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A collision-resistant digest of a whole file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// SHA-256 of the bytes.
    Sha256([u8; 32]),
    /// SHA-512 of the bytes.
    Sha512([u8; 64]),
    /// BLAKE3 root of the bytes; the same value as the [`ContentId`].
    Blake3([u8; 32]),
}

impl Digest {
    /// The function that made it.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
            Self::Blake3(_) => Algorithm::Blake3,
        }
    }

    /// The raw bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) | Self::Blake3(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }

    /// A digest from its raw bytes.
    ///
    /// # Errors
    /// [`DigestError::WrongLength`] when `bytes` is not exactly as long as the algorithm's output.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, DigestError> {
        let wrong = |_| DigestError::WrongLength { algorithm, got: bytes.len() * 2 };
        Ok(match algorithm {
            Algorithm::Sha256 => Self::Sha256(bytes.try_into().map_err(wrong)?),
            Algorithm::Sha512 => Self::Sha512(bytes.try_into().map_err(wrong)?),
            Algorithm::Blake3 => Self::Blake3(bytes.try_into().map_err(wrong)?),
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm())?;
        write_hex(f, self.bytes())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    /// Parses `ALGORITHM:HEX`; the algorithm and the hex digits in either case, `sha-256` as well as `sha256`.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (name, hex) = text.split_once(':').ok_or(DigestError::NoAlgorithm)?;
        let plain = name.to_ascii_lowercase().replace('-', "");
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == plain)
            .ok_or_else(|| DigestError::UnknownAlgorithm(name.chars().take(32).collect()))?;
        if hex.len() != algorithm.digest_len() * 2 {
            return Err(DigestError::WrongLength { algorithm, got: hex.len() });
        }
        let bytes = parse_hex(hex).ok_or(DigestError::NotHex(algorithm))?;
        Self::from_bytes(algorithm, &bytes)
    }
}

/// Why a text is not a digest. Each is one sentence for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestError {
    /// There is no `ALGORITHM:` before the digits.
    NoAlgorithm,
    /// The algorithm is not one of ours.
    UnknownAlgorithm(String),
    /// The number of hex digits does not fit the algorithm.
    WrongLength {
        /// What the prefix says.
        algorithm: Algorithm,
        /// How many digits came.
        got: usize,
    },
    /// A character is not a hex digit.
    NotHex(Algorithm),
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAlgorithm => f.write_str("a digest starts with its algorithm, as in sha256:HEX"),
            Self::UnknownAlgorithm(name) => {
                write!(f, "digest algorithm {name:?} is not known; use sha256, sha512 or blake3")
            }
            Self::WrongLength { algorithm, got } => {
                write!(f, "a {algorithm} digest has {} hex digits, not {got}", algorithm.digest_len() * 2)
            }
            Self::NotHex(algorithm) => write!(f, "a {algorithm} digest is written in hex digits only"),
        }
    }
}

impl std::error::Error for DigestError {}

/// The name of a content: the BLAKE3 root of its bytes. Shown as hex, the way `b3sum` prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub [u8; 32]);

impl ContentId {
    /// The same value as a digest.
    #[must_use]
    pub fn digest(self) -> Digest {
        Digest::Blake3(self.0)
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentId {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let wrong = DigestError::WrongLength { algorithm: Algorithm::Blake3, got: text.len() };
        if text.len() != 64 {
            return Err(wrong);
        }
        let bytes = parse_hex(text).ok_or(DigestError::NotHex(Algorithm::Blake3))?;
        Ok(Self(bytes.try_into().map_err(|_| wrong)?))
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Bytes of an even-length hex text; `None` for anything else.
pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits.chunks(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_reads_back_as_it_is_written() {
        let digest: Digest = EMPTY.parse().unwrap();
        assert_eq!(digest.to_string(), EMPTY);
        assert_eq!(EMPTY.to_uppercase().replace("SHA256", "SHA-256").parse::<Digest>().unwrap(), digest);
    }

    #[test]
    fn a_wrong_digest_is_told_apart_by_its_reason() {
        assert_eq!("e3b0".parse::<Digest>(), Err(DigestError::NoAlgorithm));
        assert_eq!("md5:00".parse::<Digest>(), Err(DigestError::UnknownAlgorithm("md5".into())));
        assert_eq!(
            "sha256:00".parse::<Digest>(),
            Err(DigestError::WrongLength { algorithm: Algorithm::Sha256, got: 2 })
        );
        assert_eq!(EMPTY.replace("e3", "zz").parse::<Digest>(), Err(DigestError::NotHex(Algorithm::Sha256)));
        let wide = format!("sha256:{}", "é".repeat(32));
        assert_eq!(wide.parse::<Digest>(), Err(DigestError::NotHex(Algorithm::Sha256)));
    }
}
