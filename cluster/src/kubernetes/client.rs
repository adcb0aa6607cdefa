//! The connection to the API server: which one, as whom, and how a dead one is noticed.
//!
//! The client is built by hand because the usual one waits for ever: TCP keepalive and the user
//! timeout find a dead host within 20 s, and retrying is this crate's own business (`call`). HTTP/1.1,
//! one connection per request that is under way. Knows nothing of kinds and objects.

use std::path::PathBuf;
use std::time::Duration;

use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection as Connected, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::client::{Body, Client, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use thiserror::Error;
use tower::{BoxError, Service, ServiceBuilder};

use stamp::Stamp;

mod stamp;
#[cfg(test)]
mod tests;

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Silence after which the kernel asks the other side whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How often it asks again.
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(5);
/// How many unanswered questions end the connection.
const KEEPALIVE_TRIES: u32 = 3;
/// What a pod is given to know the API server by.
const POD_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
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
    /// The way to the API server that the kubeconfig names is none that is known here.
    #[error("proxy-url {0} is not one that can be used: http:// or socks5://, without a password")]
    Proxy(http::Uri),
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
        let Found {
            mut config,
            in_cluster,
            stamp,
        } = self.config().await?;
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
            stamp,
        })
    }

    async fn config(&self) -> Result<Found, ConnectError> {
        if self.kubeconfig.is_none()
            && self.context.is_none()
            && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
        {
            let stamp = Stamp::of([PathBuf::from(POD_CA)]).await;
            let config = Config::incluster()?;
            return Ok(Found {
                config,
                in_cluster: true,
                stamp,
            });
        }
        let named = |source| ConnectError::Kubeconfig {
            place: match &self.kubeconfig {
                Some(path) => path.display().to_string(),
                None => "the kubeconfig of KUBECONFIG or ~/.kube/config".to_owned(),
            },
            source,
        };
        // Before each of the files is read: what changes meanwhile is seen to have changed.
        let mut stamp = Stamp::of(self.kubeconfigs()).await;
        let kubeconfig = read(self.kubeconfig.clone()).await.map_err(named)?;
        stamp.add(referenced(&kubeconfig)).await;
        let declared = declared_proxy(&kubeconfig, self.context.as_deref());
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.map_err(named)?;
        if !declared {
            // One of the environment, which is for other destinations and comes with exceptions.
            config.proxy_url = None;
        }
        Ok(Found {
            config,
            in_cluster: false,
            stamp,
        })
    }

    /// The files in which a kubeconfig is looked for.
    fn kubeconfigs(&self) -> Vec<PathBuf> {
        if let Some(path) = &self.kubeconfig {
            return vec![path.clone()];
        }
        if let Some(paths) = std::env::var_os("KUBECONFIG").filter(|paths| !paths.is_empty()) {
            return std::env::split_paths(&paths).collect();
        }
        let home = std::env::home_dir();
        home.map(|home| home.join(".kube/config"))
            .into_iter()
            .collect()
    }
}

/// A usable configuration.
struct Found {
    config: Config,
    in_cluster: bool,
    stamp: Stamp,
}

/// The files that a kubeconfig names and that are read once; those with tokens are read again by the
/// client itself.
fn referenced(kubeconfig: &Kubeconfig) -> Vec<PathBuf> {
    let clusters = kubeconfig.clusters.iter();
    let authorities =
        clusters.filter_map(|named| named.cluster.as_ref()?.certificate_authority.as_ref());
    let accounts = kubeconfig.auth_infos.iter();
    let own = accounts
        .filter_map(|named| named.auth_info.as_ref())
        .flat_map(|account| [&account.client_certificate, &account.client_key])
        .flatten();
    authorities.chain(own).map(PathBuf::from).collect()
}

/// Whether the cluster of this context names a proxy.
fn declared_proxy(kubeconfig: &Kubeconfig, context: Option<&str>) -> bool {
    let chosen = context.or(kubeconfig.current_context.as_deref());
    let context = kubeconfig
        .contexts
        .iter()
        .find(|named| Some(named.name.as_str()) == chosen)
        .and_then(|named| named.context.as_ref());
    let cluster = context.and_then(|context| {
        let mut clusters = kubeconfig.clusters.iter();
        clusters
            .find(|named| named.name == context.cluster)?
            .cluster
            .as_ref()
    });
    cluster.is_some_and(|cluster| {
        cluster
            .proxy_url
            .as_ref()
            .is_some_and(|proxy| !proxy.is_empty())
    })
}

/// A file is read on a thread that may wait.
async fn read(path: Option<PathBuf>) -> Result<Kubeconfig, KubeconfigError> {
    let read = tokio::task::spawn_blocking(|| match path {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    });
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
    /// The files behind it, as they were.
    pub(super) stamp: Stamp,
}

fn client(config: Config) -> Result<Client, ConnectError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE_AGAIN));
    tcp.set_keepalive_retries(Some(KEEPALIVE_TRIES));
    tcp.set_tcp_user_timeout(Some(USER_TIMEOUT));
    let Some(proxy) = config.proxy_url.clone() else {
        return Ok(over(tcp, config)?);
    };
    let password = proxy
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    match proxy.scheme_str() {
        Some("http") if !password => Ok(over(Tunnel::new(proxy, tcp), config)?),
        // The proxy may know the server by a name that is not known here.
        Some("socks5") if !password => Ok(over(SocksV5::new(proxy, tcp).local_dns(false), config)?),
        _ => Err(ConnectError::Proxy(proxy)),
    }
}

/// A client over connections of this kind.
fn over<C>(connector: C, config: Config) -> Result<Client, kube::Error>
where
    C: Service<http::Uri> + Clone + Send + Sync + 'static,
    C::Response: Connected + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let tls = config.rustls_https_connector_with_connector(connector)?;
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(tls);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}
