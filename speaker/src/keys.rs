//! The keys that speakers seal their layer 2 frames with: from the Secret `ringbolt-speaker-key`, or from a file
//! that stands in for it. Values never reach a log, a status or an error.
//!
//! It knows neither ciphers nor frames; the layer 2 half is handed the ring.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use ringbolt_config::secret::{SecretBytes, SecretView};
use thiserror::Error;
use tracing::warn;

#[cfg(test)]
mod tests;

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 32;

/// Why keys cannot be used. A ring with one bad entry is refused whole: half a ring would cut members off
/// in silence.
#[derive(Debug, Error)]
pub enum KeyProblem {
    /// An entry's name is not a decimal number below 2^32.
    #[error("entry {entry:?}: the name of a key is a decimal number")]
    NotAnId {
        /// The entry as written.
        entry: Box<str>,
    },
    /// An entry has the wrong length.
    #[error("key {id}: {bytes} bytes, and a key has 32")]
    Length {
        /// Which key.
        id: u32,
        /// Its length.
        bytes: usize,
    },
    /// A line of a key file is not an id, a blank and 64 hexadecimal digits.
    #[error("{path}:{line}: expected a decimal id, a blank and 64 hexadecimal digits", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The key file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl KeyProblem {
    /// The closed set of words programs may match on.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAnId { .. } => "InvalidKeyId",
            Self::Length { .. } => "InvalidKeyLength",
            Self::Line { .. } => "InvalidKeyFile",
            Self::Unreadable { .. } => "KeyFileUnreadable",
        }
    }
}

/// Keys by id; the highest is the newest. `Debug` shows the ids alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyRing(BTreeMap<u32, SecretBytes>);

impl KeyRing {
    /// Reads the entries of the Secret.
    pub fn from_secret(secret: &SecretView) -> Result<Self, KeyProblem> {
        let mut ring = BTreeMap::new();
        for (entry, value) in &secret.entries {
            let id = entry
                .parse::<u32>()
                .ok()
                .filter(|id| id.to_string() == *entry);
            let id = id.ok_or_else(|| KeyProblem::NotAnId {
                entry: entry.as_str().into(),
            })?;
            let bytes = value.expose().len();
            if bytes != KEY_BYTES {
                return Err(KeyProblem::Length { id, bytes });
            }
            ring.insert(id, value.clone());
        }
        Ok(Self(ring))
    }

    /// Reads a file of lines `ID HEX`; empty lines and those that begin with `#` are passed over.
    pub fn from_file(path: &Path) -> Result<Self, KeyProblem> {
        let text = fs::read_to_string(path).map_err(|source| KeyProblem::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let mut ring = BTreeMap::new();
        for (line, content) in (1..).zip(text.lines().map(str::trim)) {
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let key = parse_line(content);
            let (id, key) = key.ok_or_else(|| KeyProblem::Line {
                path: path.to_owned(),
                line,
            })?;
            ring.insert(id, key);
        }
        Ok(Self(ring))
    }

    /// The keys, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &SecretBytes)> {
        self.0.iter().map(|(id, key)| (*id, key))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where the ring comes from, and what is wrong with it. A ring that was good stays in force while its
/// successor is not.
#[derive(Debug, Default)]
pub(crate) struct KeySource {
    file: Option<PathBuf>,
    ids: Vec<u32>,
    problem: Option<KeyProblem>,
}

/// What is shown of a [`KeySource`] at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyState {
    ids: Vec<u32>,
    problem: Option<String>,
}

impl KeySource {
    /// Keys of a file, or of the Secret where none is named.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }

    /// Looks again; the ring, unless it cannot be used.
    pub(crate) fn refresh(&mut self, secret: Option<&SecretView>) -> Option<KeyRing> {
        let found = match (&self.file, secret) {
            (Some(path), _) => KeyRing::from_file(path),
            (None, Some(secret)) => KeyRing::from_secret(secret),
            (None, None) => Ok(KeyRing::default()),
        };
        match found {
            Ok(ring) => {
                self.ids = ring.0.keys().copied().collect();
                self.problem = None;
                Some(ring)
            }
            Err(problem) => {
                if self.problem.as_ref().map(KeyProblem::reason) != Some(problem.reason()) {
                    warn!(%problem, "keys for layer 2 cannot be used");
                }
                self.problem = Some(problem);
                None
            }
        }
    }

    /// What is wrong at present.
    pub(crate) fn problem(&self) -> Option<&KeyProblem> {
        self.problem.as_ref()
    }

    /// All of this that is shown, for comparison.
    pub(crate) fn state(&self) -> KeyState {
        KeyState {
            ids: self.ids.clone(),
            problem: self.problem.as_ref().map(ToString::to_string),
        }
    }

    /// Ids of the ring in force, ascending.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

fn parse_line(content: &str) -> Option<(u32, SecretBytes)> {
    let (id, digits) = content.split_once(char::is_whitespace)?;
    let digits = digits.trim().as_bytes();
    if digits.len() != 2 * KEY_BYTES {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let pairs = digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => u8::try_from(nibble(*high)? * 16 + nibble(*low)?).ok(),
        _ => None,
    });
    let key: Vec<u8> = pairs.collect::<Option<_>>()?;
    Some((id.parse().ok()?, SecretBytes::new(&key)))
}
