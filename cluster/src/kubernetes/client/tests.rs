//! What is read of a kubeconfig beside the server's name.

use std::fs;

use super::*;

fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: k, cluster: {{server: \"http://127.0.0.1:1\", {cluster}}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n"
    )
}

async fn connect(folder: &tempfile::TempDir) -> Result<Connection, ConnectError> {
    let target = Target {
        kubeconfig: Some(folder.path().join("config")),
        context: None,
    };
    target.connect().await
}

#[tokio::test]
async fn a_file_that_the_kubeconfig_names_counts_as_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let user = "client-certificate: own.crt, client-key: own.key";
    let text = kubeconfig("insecure-skip-tls-verify: true", user);
    fs::write(folder.path().join("config"), text).unwrap();
    let kubeconfig = read(Some(folder.path().join("config"))).await.unwrap();
    let stamp = Stamp::of(referenced(&kubeconfig)).await;
    assert!(stamp.is_current().await);
    // One that appears, and one that changes.
    fs::write(folder.path().join("own.key"), "key").unwrap();
    assert!(!stamp.is_current().await);
    let stamp = Stamp::of(referenced(&kubeconfig)).await;
    fs::write(folder.path().join("own.key"), "yek").unwrap();
    assert!(!stamp.is_current().await);
}

#[tokio::test]
async fn a_proxy_of_the_kubeconfig_is_used_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (proxy, usable) in [
        ("", true),
        ("http://192.0.2.1:3128", true),
        ("socks5://192.0.2.1:1080", true),
        ("https://192.0.2.1:3128", false),
        ("http://me:secret@192.0.2.1:3128", false),
    ] {
        let text = kubeconfig(&format!("proxy-url: \"{proxy}\""), "token: t");
        fs::write(folder.path().join("config"), text).unwrap();
        match connect(&folder).await {
            Ok(_) => assert!(usable, "{proxy}"),
            Err(error) => {
                assert!(
                    !usable && matches!(error, ConnectError::Proxy(_)),
                    "{proxy}: {error}"
                );
            }
        }
    }
}

/// What a proxy is asked first by a client whose kubeconfig names it.
async fn first_word(scheme: &str) -> Vec<u8> {
    use tokio::io::AsyncReadExt;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = kubeconfig(&format!("proxy-url: \"{scheme}://{address}\""), "token: t");
    fs::write(folder.path().join("config"), text).unwrap();
    let connection = connect(&folder).await.expect("a client");
    let request = http::Request::get("/api").body(Body::empty()).unwrap();
    let asking = tokio::spawn(async move { connection.client.send(request).await.is_ok() });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut word = vec![0; 3];
    stream.read_exact(&mut word).await.unwrap();
    asking.abort();
    word
}

#[tokio::test]
async fn the_way_to_the_server_leads_over_the_proxy() {
    assert_eq!(first_word("http").await, b"CON");
    // Version 5, one method: none.
    assert_eq!(first_word("socks5").await, [5, 1, 0]);
}
