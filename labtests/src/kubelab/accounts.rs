//! Who may log in at the control plane: users of a token file, and kubeconfigs that carry their tokens.
//!
//! Only the administrator and Kubernetes' own components can do anything; the others may what a test grants them.
//! Service accounts get their tokens from the API server itself, see [`super::ControlPlane::account_kubeconfig`].

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::plane::ControlPlane;

/// Somebody with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum User {
    /// In `system:masters`: may do anything and is never rationed.
    Admin,
    /// `ringbolt-controller`, without any right until a test binds it.
    Controller,
    /// `ringbolt-speaker`, likewise.
    Speaker,
    /// `lab-stranger`: whoever a test needs, without any right.
    Stranger,
    /// `lab-operator`: a second such person.
    Operator,
    /// The components' own accounts, with the roles the API server brings for them.
    ControllerManager,
    Proxy,
}

impl User {
    const ALL: &[Self] = &[
        Self::Admin,
        Self::Controller,
        Self::Speaker,
        Self::Stranger,
        Self::Operator,
        Self::ControllerManager,
        Self::Proxy,
    ];

    /// The name that a role binding uses.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Admin => "lab-admin",
            Self::Controller => "ringbolt-controller",
            Self::Speaker => "ringbolt-speaker",
            Self::Stranger => "lab-stranger",
            Self::Operator => "lab-operator",
            Self::ControllerManager => "system:kube-controller-manager",
            Self::Proxy => "system:kube-proxy",
        }
    }

    const fn token(self) -> &'static str {
        match self {
            Self::Admin => "token-of-admin",
            Self::Controller => "token-of-controller",
            Self::Speaker => "token-of-speaker",
            Self::Stranger => "token-of-stranger",
            Self::Operator => "token-of-operator",
            Self::ControllerManager => "token-of-controller-manager",
            Self::Proxy => "token-of-proxy",
        }
    }

    const fn groups(self) -> &'static str {
        match self {
            Self::Admin => "system:masters",
            Self::Controller | Self::Speaker | Self::Stranger | Self::Operator => "lab",
            Self::ControllerManager | Self::Proxy => "",
        }
    }

    /// The kubeconfig of this user among `folder`.
    pub(super) fn kubeconfig(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.kubeconfig", self.name().replace(':', "-")))
    }
}

/// Writes the token file of the API server.
pub(super) fn write_tokens(file: &Path) -> Result<()> {
    let lines: Vec<String> = (1..)
        .zip(User::ALL)
        .map(|(number, user)| {
            let (token, name, groups) = (user.token(), user.name(), user.groups());
            format!("{token},{name},{number},\"{groups}\"\n")
        })
        .collect();
    Ok(fs::write(file, lines.concat())?)
}

/// Writes a kubeconfig for every user of the token file.
pub(super) fn write_kubeconfigs(folder: &Path, server: &str, authority: &Path) -> Result<()> {
    for user in User::ALL {
        write_kubeconfig(&user.kubeconfig(folder), server, authority, user.token())?;
    }
    Ok(())
}

/// Writes a kubeconfig with one token in it.
pub(super) fn write_kubeconfig(
    file: &Path,
    server: &str,
    authority: &Path,
    token: &str,
) -> Result<()> {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": "lab", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
    });
    Ok(fs::write(file, config.to_string())?)
}

/// A pod that a token is bound to: the API server then knows the pod and its node by the token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundTo<'a> {
    pub(crate) pod: &'a str,
}

impl ControlPlane {
    /// A kubeconfig of a service account, with a token as a pod of it would be given; bound to that pod, if there is
    /// one. Service account and pod must exist.
    pub(crate) fn account_kubeconfig(
        &self,
        namespace: &str,
        account: &str,
        bound: Option<BoundTo<'_>>,
    ) -> Result<PathBuf> {
        let mut args = vec!["create", "token", account, "--namespace", namespace];
        args.push("--duration=24h");
        let mut name = format!("account-{namespace}-{account}");
        if let Some(BoundTo { pod }) = bound {
            args.extend(["--bound-object-kind", "Pod", "--bound-object-name", pod]);
            name = format!("{name}-{pod}");
        }
        let token = self.kubectl(&args)?;
        let file = self.folder().join(format!("{name}.kubeconfig"));
        write_kubeconfig(&file, &self.url(), self.authority(), token.trim())?;
        Ok(file)
    }
}
