//! Where the programs of Kubernetes are. Finding and building them is the business of `cargo xtask setup kubelab`.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

/// The programs a control plane with nodes consists of, and those that look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Etcd,
    ApiServer,
    ControllerManager,
    Proxy,
    Kubectl,
}

impl Program {
    const ALL: &[Self] = &[
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Proxy,
        Self::Kubectl,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Proxy => "kube-proxy",
            Self::Kubectl => "kubectl",
        }
    }

    /// The variable by which test suites of the Kubernetes project name a program.
    fn variable(self) -> String {
        format!(
            "TEST_ASSET_{}",
            self.name().replace('-', "_").to_uppercase()
        )
    }
}

/// The programs, each found.
#[derive(Debug, Clone)]
pub(crate) struct Assets {
    folder: PathBuf,
}

impl Assets {
    /// Programs of `folder`, save those that a `TEST_ASSET_…` variable names.
    pub(crate) fn at(folder: PathBuf) -> Result<Self> {
        let assets = Self { folder };
        for program in Program::ALL {
            let path = assets.path(*program);
            if !path.exists() {
                bail!("{} is not there", path.display());
            }
        }
        Ok(assets)
    }

    pub(crate) fn path(&self, program: Program) -> PathBuf {
        match env::var_os(program.variable()) {
            Some(path) => path.into(),
            None => self.folder.join(program.name()),
        }
    }

    /// Helm, where it was built with the rest.
    pub(crate) fn helm(&self) -> Option<PathBuf> {
        let path = self.folder.join("helm");
        path.exists().then_some(path)
    }
}
