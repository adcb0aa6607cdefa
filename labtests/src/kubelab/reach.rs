//! How this process talks to an API server that lives in a namespace: a runtime whose threads have all moved there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::netns::Netns;

/// A connection that is not there after this long is none.
const CONNECT: Duration = Duration::from_secs(2);
/// An answer that is not there after this long does not come: the server is paused or gone.
const ANSWER: Duration = Duration::from_secs(5);

/// The runtime and its namespace.
#[derive(Debug)]
pub(super) struct Reach {
    space: Netns,
    runtime: Runtime,
}

impl Reach {
    pub(super) fn into(space: Netns) -> Result<Self> {
        let inside = space.clone();
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("kubelab")
            .enable_all()
            .on_thread_start(move || {
                if let Err(error) = inside.enter() {
                    eprintln!("kubelab: {error:#}");
                }
            })
            .build()
            .context("a runtime")?;
        Ok(Self { space, runtime })
    }

    pub(super) fn space(&self) -> &Netns {
        &self.space
    }

    /// Runs a future to its end; it and all it spawns open their sockets in the namespace.
    pub(super) fn run<T: Send>(&self, future: impl Future<Output = T> + Send) -> Result<T> {
        self.space.inside(|| self.runtime.block_on(future))
    }

    /// As [`Self::run`], for a question to an API server: one that does not answer is an error.
    pub(super) fn ask<T: Send>(
        &self,
        question: impl Future<Output = kube::Result<T>> + Send,
    ) -> Result<kube::Result<T>> {
        let answer = self.run(async { timeout(ANSWER, question).await })?;
        answer.context("the API server does not answer")
    }

    /// A client for the server and the person of a kubeconfig.
    pub(super) fn client(&self, kubeconfig: &Path) -> Result<Client> {
        let read =
            Kubeconfig::read_from(kubeconfig).with_context(|| kubeconfig.display().to_string())?;
        self.run(async {
            let mut config =
                Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
            // A proxy of the person who calls knows no way into a namespace.
            config.proxy_url = None;
            config.connect_timeout = Some(CONNECT);
            // It would end connections that are merely idle, too; calls have a limit of their own.
            config.read_timeout = None;
            Ok(Client::try_from(config)?)
        })?
    }
}
