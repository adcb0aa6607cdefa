//! `SecretView`: what is read of a Secret. Nothing in here ever prints a value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;

/// Bytes that are not to be seen: `Debug` prints their number alone.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Arc<[u8]>);

impl SecretBytes {
    /// Takes bytes into custody.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for whoever puts them into a socket or a cipher.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} secret bytes>", self.0.len())
    }
}

/// A Secret by name; keys can be seen, values not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretView {
    /// Namespace of the Secret.
    pub namespace: Arc<str>,
    /// Name of the Secret.
    pub name: Arc<str>,
    /// Values by key; `stringData` wins over `data`, as the API server has it.
    pub entries: BTreeMap<String, SecretBytes>,
}

impl SecretView {
    /// Reads a Secret of a checked name.
    pub fn new(namespace: Arc<str>, name: Arc<str>, object: Secret) -> Self {
        let data = object.data.unwrap_or_default().into_iter();
        let mut entries: BTreeMap<String, SecretBytes> = data
            .map(|(key, value)| (key, SecretBytes::new(&value.0)))
            .collect();
        for (key, value) in object.string_data.unwrap_or_default() {
            entries.insert(key, SecretBytes::new(value.as_bytes()));
        }
        Self {
            namespace,
            name,
            entries,
        }
    }
}

#[cfg(test)]
mod tests;
