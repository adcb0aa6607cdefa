//! Where a command's objects are: the flags that say it, made into a cluster.
//!
//! Owns the choice between a directory and Kubernetes: one of them, and Kubernetes where nothing is
//! said, found as kubectl finds it. An API server that does not answer is nobody's bad flag: daemons
//! wait for it, and commands that look once say so.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use ringbolt_cluster::{Cluster, DirectoryOptions, Election, KubernetesOptions, Listing, Role};
use ringbolt_config::NodeName;

use crate::Refused;
use crate::args::SourceArgs;

/// Where objects of a pod's own service account are found.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// Where objects are.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A directory of manifests.
    Directory(DirectoryOptions),
    /// An API server.
    Kubernetes(KubernetesOptions),
}

impl Source {
    /// What the flags say, or why they cannot be followed.
    pub(crate) fn new(args: SourceArgs, role: Role) -> Result<Self, Refused> {
        let SourceArgs {
            manifests,
            state_dir,
            kubeconfig,
            context,
            namespace,
        } = args;
        if let Some(dir) = manifests {
            return Ok(Self::Directory(DirectoryOptions {
                state_dir,
                ..DirectoryOptions::new(dir, role)
            }));
        }
        if kubeconfig.is_none() && !is_kubernetes_known() {
            return Err(Refused::NoSource);
        }
        Ok(Self::Kubernetes(KubernetesOptions {
            kubeconfig,
            context,
            namespace,
            instance: instance(),
            snapshot: state_dir,
            ..KubernetesOptions::new(role)
        }))
    }

    /// For the speaker of a node, which reads its own Node object alone.
    pub(crate) fn of_node(self, node: &NodeName) -> Self {
        match self {
            Self::Kubernetes(options) => Self::Kubernetes(KubernetesOptions {
                node: Some(node.clone()),
                ..options
            }),
            directory @ Self::Directory(_) => directory,
        }
    }

    /// For a controller that takes turns with others, or does not. A directory has one at work either way.
    pub(crate) fn with_election(self, election: Election) -> Self {
        match self {
            Self::Kubernetes(options) => Self::Kubernetes(KubernetesOptions {
                election,
                ..options
            }),
            directory @ Self::Directory(_) => directory,
        }
    }

    /// The same source for somebody who only looks.
    pub(crate) fn for_reader(self) -> Self {
        let role = Role::Reader;
        match self {
            Self::Directory(options) => Self::Directory(DirectoryOptions { role, ..options }),
            Self::Kubernetes(options) => Self::Kubernetes(KubernetesOptions {
                role,
                node: None,
                snapshot: None,
                ..options
            }),
        }
    }

    /// Where a daemon may keep what outlives it.
    pub(crate) fn state_folder(&self) -> Option<PathBuf> {
        match self {
            Self::Directory(options) => Some(options.state_folder()),
            Self::Kubernetes(options) => options.snapshot.clone(),
        }
    }

    /// The cluster. Call it inside a runtime.
    pub(crate) fn open(self) -> Cluster {
        match self {
            Self::Directory(options) => Cluster::directory(options),
            Self::Kubernetes(options) => Cluster::kubernetes(options),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(options) => write!(f, "directory {}", options.dir.display()),
            Self::Kubernetes(options) => match (&options.kubeconfig, &options.context) {
                (Some(file), Some(context)) => {
                    write!(f, "Kubernetes, {}, context {context}", file.display())
                }
                (Some(file), None) => write!(f, "Kubernetes, {}", file.display()),
                (None, Some(context)) => write!(f, "Kubernetes, context {context}"),
                (None, None) => f.write_str("Kubernetes"),
            },
        }
    }
}

/// Everything once, or what stands in the way.
pub(crate) async fn read(cluster: &Cluster) -> Result<Listing> {
    Ok(cluster.read_all().await?)
}

/// One line per reason for which kinds could not be read.
pub(crate) fn unread(listing: &Listing) -> Vec<String> {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (kind, trouble) in &listing.unread {
        let reason = trouble.to_string();
        reasons.entry(reason).or_default().push(kind.plural());
    }
    let lines = reasons.into_iter();
    let lines = lines.map(|(reason, kinds)| format!("{}: {reason}", kinds.join(", ")));
    lines.collect()
}

/// Whether anything says where an API server is, as kubectl would look.
fn is_kubernetes_known() -> bool {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".kube/config"));
    std::env::var_os(IN_CLUSTER).is_some()
        || std::env::var_os("KUBECONFIG").is_some_and(|files| !files.is_empty())
        || home().is_some_and(|file| file.exists())
}

/// Who this process is among others of its kind: its pod, where there is one.
fn instance() -> Option<String> {
    let pod = ["RINGBOLT_POD_NAME", "POD_NAME"];
    let mut names = pod.iter().filter_map(|name| std::env::var(name).ok());
    names.find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
