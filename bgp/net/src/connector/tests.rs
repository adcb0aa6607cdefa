//! Every way in which dialling fails has its name.

use super::*;
use ringbolt_bgp::types::Secret;
use std::sync::Arc;

fn target(remote: SocketAddr) -> DialTarget {
    DialTarget {
        remote,
        source: None,
        password: None,
        ttl: Ttl::Any,
    }
}

/// A port on which nobody listens.
fn closed_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    assert_eq!(
        dial(&target(closed_port())).await.unwrap_err(),
        DialError::Refused
    );
}

#[tokio::test]
async fn a_source_address_of_another_host_is_missing() {
    let source = Some("192.0.2.1".parse().unwrap());
    let target = DialTarget {
        source,
        ..target(closed_port())
    };
    assert_eq!(dial(&target).await.unwrap_err(), DialError::SourceMissing);
}

#[tokio::test]
async fn a_key_that_is_too_long_is_named() {
    let password = Some(Secret::new(Arc::from([1; 81])));
    let target = DialTarget {
        password,
        ..target(closed_port())
    };
    assert_eq!(dial(&target).await.unwrap_err(), DialError::Md5KeyTooLong);
}

#[tokio::test]
async fn the_source_address_is_bound_and_the_ttl_is_set() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = DialTarget {
        source: Some("127.0.0.7".parse().unwrap()),
        ttl: Ttl::One,
        ..target(listener.local_addr().unwrap())
    };
    let socket = dial(&target).await.unwrap();
    assert_eq!(
        socket.local_addr().unwrap().ip(),
        "127.0.0.7".parse::<IpAddr>().unwrap()
    );
    let socket = SockRef::from(&socket);
    assert_eq!(socket.ttl_v4().unwrap(), 1);
    assert!(socket.tcp_nodelay().unwrap());
}
