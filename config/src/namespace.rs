//! `NamespaceView`: what is read of a Namespace, which is its labels.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;

use crate::names::NamespaceName;

/// A Namespace, reduced to what selectors ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceView {
    /// Its name.
    pub name: NamespaceName,
    /// Its labels; `kubernetes.io/metadata.name` is always among them, as the API server has it.
    pub labels: BTreeMap<String, String>,
}

impl NamespaceView {
    /// Reads a Namespace of a checked name.
    pub fn new(name: NamespaceName, object: Namespace) -> Self {
        let mut labels = object.metadata.labels.unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.to_string());
        Self { name, labels }
    }
}
