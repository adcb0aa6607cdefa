//! Whether speakers live, where a Speaker object cannot tell: they are asked on their HTTP port.
//!
//! On Kubernetes a Speaker object outlives its speaker. An answer of `/livez` proves life; silence
//! proves nothing, for the port may be out of reach from here. So there are three answers, and who
//! shows them says which it is.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ringbolt_cluster::Listing;
use ringbolt_config::{NodeName, Object};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::view::Life;

/// Port of the speaker's HTTP face on its node's address (contract 6).
const PORT: u16 = 9641;
/// How long a speaker may take to answer.
const PATIENCE: Duration = Duration::from_millis(700);
/// Speakers asked at once.
const AT_ONCE: usize = 64;

/// What is known of the life of every speaker that has written a Speaker object.
pub(super) async fn lives(listing: &Listing) -> BTreeMap<NodeName, Life> {
    let mut addresses: BTreeMap<NodeName, Vec<IpAddr>> = BTreeMap::new();
    for object in &listing.objects {
        if let Object::Node(node) = object {
            let all = node.addresses.iter().map(|(_, address)| *address);
            addresses.insert(node.name.clone(), all.collect());
        }
    }
    let speakers = listing.objects.iter().filter_map(|object| match object {
        Object::Speaker(speaker) => speaker.metadata.name.as_deref()?.parse::<NodeName>().ok(),
        _ => None,
    });
    let mut lives = BTreeMap::new();
    let mut asking = JoinSet::new();
    for name in speakers {
        let Some(addresses) = addresses.remove(&name) else {
            lives.insert(name, Life::Gone);
            continue;
        };
        if asking.len() >= AT_ONCE
            && let Some(Ok((name, life))) = asking.join_next().await
        {
            lives.insert(name, life);
        }
        asking.spawn(async move { (name, life_at(&addresses).await) });
    }
    while let Some(answer) = asking.join_next().await {
        lives.extend(answer);
    }
    lives
}

async fn life_at(addresses: &[IpAddr]) -> Life {
    for address in addresses {
        let answered = timeout(PATIENCE, answers(SocketAddr::new(*address, PORT))).await;
        if let Ok(Ok(true)) = answered {
            return Life::AsReported;
        }
    }
    Life::Unconfirmed
}

/// Whether something there says that it lives.
async fn answers(place: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(place).await?;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 15];
    stream.read_exact(&mut head).await?;
    Ok(head.starts_with(b"HTTP/1.1 200"))
}

#[cfg(test)]
mod tests;
