//! Moving the bytes of one connection: one task, in which reading and writing go on
//! independently of each other.
//!
//! The task knows nothing of BGP. Reading stops while the driver has not taken the last
//! [`CREDITS`] chunks; writing takes chunks from a short queue and reports every byte the kernel
//! took, so the driver can see both a peer that floods and one that does not read.
//!
//! A connection ends in one of three ways. The peer ends it: reading sees that. The driver drops
//! it: the task is aborted and the kernel says the rest. Or the driver takes leave: what is queued
//! is written, our side is shut down, and what the peer still sends is read and ignored until it
//! closes too, because a close over unread bytes would reset the connection and destroy the
//! NOTIFICATION on its way. Leave-taking ends after [`LINGER`], with a reset.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use ringbolt_bgp::types::ConnId;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::driver::Report;

#[cfg(test)]
mod tests;

/// Most octets read at once.
const CHUNK: usize = 64 * 1024;
/// Chunks of one connection that may wait for the driver.
const CREDITS: usize = 2;
/// Chunks that may wait to be written, the last words among them.
const QUEUE: usize = 8;
/// How long leave-taking may take.
const LINGER: Duration = Duration::from_secs(1);

/// Octets received, holding the credit to read more.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: BytesMut,
    _credit: OwnedSemaphorePermit,
}

/// The driver's end of a connection. Dropping it closes the connection at once.
#[derive(Debug)]
pub(crate) struct Stream {
    chunks: mpsc::Sender<BytesMut>,
    leave: oneshot::Sender<()>,
    task: AbortOnDrop,
}

/// A connection that is taking leave. Dropping it closes the connection at once.
#[derive(Debug)]
pub(crate) struct Leaving {
    _task: AbortOnDrop,
}

/// A task that does not outlive its owner.
#[derive(Debug)]
pub(crate) struct AbortOnDrop(pub(crate) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Stream {
    /// Starts moving bytes.
    pub(crate) fn spawn(conn: ConnId, socket: TcpStream, reports: mpsc::Sender<Report>) -> Self {
        let (chunks, queue) = mpsc::channel(QUEUE);
        let (leave, leaving) = oneshot::channel();
        let task = AbortOnDrop(tokio::spawn(run(conn, socket, queue, leaving, reports)));
        Self {
            chunks,
            leave,
            task,
        }
    }

    /// Whether another chunk can be queued; one place is kept for the last words.
    pub(crate) fn has_room(&self) -> bool {
        self.chunks.capacity() > 1
    }

    /// Queues a chunk, for which there must be room. Its octets come back as reports.
    pub(crate) fn write(&self, chunk: BytesMut) {
        let queued = self.chunks.try_send(chunk);
        // Closed means that the end is already reported.
        let lost = matches!(queued, Err(mpsc::error::TrySendError::Full(_)));
        debug_assert!(!lost, "chunks are written only where there is room");
    }

    /// Writes what is queued, then closes. The end is reported.
    pub(crate) fn leave(self) -> Leaving {
        let Self {
            chunks,
            leave,
            task,
        } = self;
        drop(chunks);
        // An error means that the connection has ended by itself.
        let _ = leave.send(());
        Leaving { _task: task }
    }
}

/// The life of a connection.
async fn run(
    conn: ConnId,
    socket: TcpStream,
    queue: mpsc::Receiver<BytesMut>,
    leaving: oneshot::Receiver<()>,
    reports: mpsc::Sender<Report>,
) {
    tokio::select! {
        () = converse(conn, &socket, queue, &reports) => {}
        () = linger(leaving) => {
            // Whatever is still queued in the kernel goes to nobody.
            let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        }
    }
    drop(socket);
    // An error means that the driver is gone.
    let _ = reports.send(Report::Closed { conn }).await;
}

/// Reads and writes until the connection has come to its end.
async fn converse(
    conn: ConnId,
    socket: &TcpStream,
    queue: mpsc::Receiver<BytesMut>,
    reports: &mpsc::Sender<Report>,
) {
    let mut reading = std::pin::pin!(read(conn, socket, reports));
    tokio::select! {
        () = &mut reading => {}
        // Whether our side is shut down or broken: what the peer said before its own end is still
        // there to be read, and that end comes.
        _ = write(conn, socket, queue, reports) => reading.await,
    }
}

/// Ends [`LINGER`] after leave-taking has begun.
async fn linger(leaving: oneshot::Receiver<()>) {
    // An error means that the driver is gone: the same.
    let _ = leaving.await;
    tokio::time::sleep(LINGER).await;
}

/// Reads until the peer closes or the connection breaks.
async fn read(conn: ConnId, socket: &TcpStream, reports: &mpsc::Sender<Report>) {
    let credits = Arc::new(Semaphore::new(CREDITS));
    loop {
        let credit = Arc::clone(&credits).acquire_owned().await;
        let credit = credit.expect("the semaphore is never closed");
        if socket.readable().await.is_err() {
            return;
        }
        let mut bytes = BytesMut::with_capacity(CHUNK);
        match socket.try_read_buf(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {
                let chunk = Chunk {
                    bytes,
                    _credit: credit,
                };
                if reports.send(Report::Bytes { conn, chunk }).await.is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Writes chunks until there will be no more, then shuts our side down.
async fn write(
    conn: ConnId,
    socket: &TcpStream,
    mut queue: mpsc::Receiver<BytesMut>,
    reports: &mpsc::Sender<Report>,
) -> io::Result<()> {
    while let Some(mut chunk) = queue.recv().await {
        while chunk.has_remaining() {
            socket.writable().await?;
            match socket.try_write(&chunk) {
                Ok(bytes) => {
                    chunk.advance(bytes);
                    // An error means that the driver is gone; the bytes are still worth writing.
                    let _ = reports.send(Report::Sent { conn, bytes }).await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
    SockRef::from(socket).shutdown(Shutdown::Write)
}
