//! The connection to the API server: which one, as whom, and how a dead one is noticed.
//!
//! The client is built by hand because the usual one waits for ever: TCP keepalive and the user
//! timeout find a dead host within 20 s, and retrying is this crate's own business (`call`). HTTP/1.1,
//! one connection per request that is under way. Knows nothing of kinds and objects.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::client::{Body, Client, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use thiserror::Error;
use tower::{BoxError, ServiceBuilder};

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Silence after which the kernel asks the other side whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How often it asks again.
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(5);
/// How many unanswered questions end the connection.
const KEEPALIVE_TRIES: u32 = 3;
/// How long sent octets may stay unacknowledged.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no client (yet).
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    /// The kubeconfig, named or found, is not usable.
    #[error("{place}: {source}")]
    Kubeconfig {
        /// Which file, or how it was looked for.
        place: String,
        /// What is wrong with it.
        source: KubeconfigError,
    },
    /// A pod's own files are not usable.
    #[error("the service account of this pod: {0}")]
    InCluster(#[from] kube::config::InClusterError),
    /// TLS or credentials of the configuration are not usable.
    #[error("{0}")]
    Client(#[from] kube::Error),
}

/// Which API server, as whom.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) kubeconfig: Option<PathBuf>,
    pub(super) context: Option<String>,
}

impl Target {
    /// Reads the configuration and makes a client of it. Nothing is sent.
    pub(super) async fn connect(&self) -> Result<Connection, ConnectError> {
        let (mut config, in_cluster) = self.config().await?;
        let product = concat!("ringbolt/", env!("CARGO_PKG_VERSION"));
        config.headers.push((
            http::header::USER_AGENT,
            http::HeaderValue::from_static(product),
        ));
        let namespace = config.default_namespace.clone();
        let server = config.cluster_url.to_string();
        let client = client(config)?;
        Ok(Connection {
            client,
            namespace,
            in_cluster,
            server,
        })
    }

    async fn config(&self) -> Result<(Config, bool), ConnectError> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        if let Some(path) = &self.kubeconfig {
            let named = |source| ConnectError::Kubeconfig {
                place: path.display().to_string(),
                source,
            };
            let read = read(path).await.map_err(named)?;
            let config = Config::from_custom_kubeconfig(read, &options).await;
            return Ok((config.map_err(named)?, false));
        }
        if self.context.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            return Ok((Config::incluster()?, true));
        }
        let found = Config::from_kubeconfig(&options).await;
        let found = found.map_err(|source| ConnectError::Kubeconfig {
            place: "the kubeconfig of KUBECONFIG or ~/.kube/config".to_owned(),
            source,
        })?;
        Ok((found, false))
    }
}

/// A file is read on a thread that may wait.
async fn read(path: &Path) -> Result<Kubeconfig, KubeconfigError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || Kubeconfig::read_from(path));
    read.await
        .unwrap_or(Err(KubeconfigError::CurrentContextNotSet))
}

/// A client, and what its configuration says beside it.
pub(super) struct Connection {
    pub(super) client: Client,
    /// The namespace of the context, or of the service account.
    pub(super) namespace: String,
    /// Whether the configuration is that of a pod.
    pub(super) in_cluster: bool,
    /// The URL of the API server.
    pub(super) server: String,
}

fn client(config: Config) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE_AGAIN));
    tcp.set_keepalive_retries(Some(KEEPALIVE_TRIES));
    tcp.set_tcp_user_timeout(Some(USER_TIMEOUT));
    let tls = config.rustls_https_connector_with_connector(tcp)?;
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(tls);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}
