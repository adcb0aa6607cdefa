//! A router of a few lines that sees every byte the speaker says.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::LIMIT;

/// Octets of a message's header.
const HEADER: usize = 19;
const OPEN: u8 = 1;
pub(super) const UPDATE: u8 = 2;
pub(super) const KEEPALIVE: u8 = 4;

/// An UPDATE with nothing in it (RFC 4724 §2): no withdrawn routes, no attributes, no prefixes.
pub(super) const END_OF_RIB: [u8; 4] = [0; 4];

/// A router that answers as little as it must, and sees every byte.
pub(super) struct Wire(TcpStream);

impl Wire {
    /// Waits for the speaker to call, and exchanges what makes a session.
    pub(super) async fn accept(listener: &TcpListener) -> Self {
        Self::accept_as(listener, &[]).await.0
    }

    /// The same with these capabilities; returns what the speaker's OPEN holds as well.
    pub(super) async fn accept_as(listener: &TcpListener, capabilities: &[u8]) -> (Self, Vec<u8>) {
        let (stream, _) = timeout(LIMIT, listener.accept())
            .await
            .expect("it calls")
            .unwrap();
        let mut wire = Self(stream);
        let (kind, theirs) = wire.read().await;
        assert_eq!(kind, OPEN);
        // Version 4, AS 64513, hold time 3 s, an identifier, no multiprotocol capability: IPv4 alone.
        let mut open = vec![4, 0xfc, 0x01, 0, 3, 192, 0, 2, 254];
        let length = u8::try_from(capabilities.len()).unwrap();
        match length {
            0 => open.push(0),
            _ => open.extend([length + 2, 2, length]),
        }
        open.extend(capabilities);
        wire.write(OPEN, &open).await;
        wire.write(KEEPALIVE, &[]).await;
        assert_eq!(wire.read().await, (KEEPALIVE, Vec::new()));
        (wire, theirs)
    }

    /// What is said until the speaker closes, but for keepalives.
    pub(super) async fn what_follows(mut self) -> Vec<(u8, Vec<u8>)> {
        let mut bytes = Vec::new();
        timeout(LIMIT, self.0.read_to_end(&mut bytes))
            .await
            .expect("it closes")
            .expect("in order");
        let mut said = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some((header, behind)) = rest.split_first_chunk::<HEADER>() {
            let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
            let (body, behind) = behind.split_at(length - HEADER);
            said.push((header[18], body.to_vec()));
            rest = behind;
        }
        assert!(rest.is_empty(), "half a message: {rest:?}");
        said.retain(|(kind, _)| *kind != KEEPALIVE);
        said
    }

    async fn write(&mut self, kind: u8, body: &[u8]) {
        let length = u16::try_from(HEADER + body.len()).unwrap().to_be_bytes();
        let message = [&[0xff; 16][..], &length, &[kind], body].concat();
        self.0.write_all(&message).await.unwrap();
    }

    pub(super) async fn read(&mut self) -> (u8, Vec<u8>) {
        let whole = async {
            let mut header = [0; HEADER];
            self.0.read_exact(&mut header).await?;
            let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
            let mut body = vec![0; length - HEADER];
            self.0.read_exact(&mut body).await?;
            std::io::Result::Ok((header[18], body))
        };
        let read = timeout(LIMIT, whole).await.expect("it says something");
        read.expect("the session lives")
    }

    /// Reads updates up to one that holds, and answers keepalives; then returns all of them.
    pub(super) async fn until(&mut self, last: impl Fn(&(u8, Vec<u8>)) -> bool) -> Vec<Vec<u8>> {
        let mut updates = Vec::new();
        loop {
            let message = self.read().await;
            let found = last(&message);
            match message {
                (UPDATE, body) => updates.push(body),
                (KEEPALIVE, _) => self.write(KEEPALIVE, &[]).await,
                (other, body) => panic!("a message {other}: {body:?}"),
            }
            if found {
                return updates;
            }
        }
    }
}

pub(super) fn is_end(message: &(u8, Vec<u8>)) -> bool {
    *message == (UPDATE, END_OF_RIB.to_vec())
}

pub(super) fn names(update: &[u8], prefix: &[u8]) -> bool {
    update.windows(prefix.len()).any(|part| part == prefix)
}
