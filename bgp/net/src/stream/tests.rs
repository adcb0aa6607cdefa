//! Back-pressure in both directions, and how connections end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const CONN: ConnId = ConnId(1);

/// A stream under test, what it reports, and the peer's end.
async fn pair() -> (Stream, mpsc::Receiver<Report>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let (report, reports) = mpsc::channel(64);
    (Stream::spawn(CONN, socket, report), reports, peer)
}

async fn next(reports: &mut mpsc::Receiver<Report>) -> Report {
    let report = tokio::time::timeout(Duration::from_secs(10), reports.recv()).await;
    report
        .expect("a report within 10 s")
        .expect("the stream is running")
}

async fn expect_closed(reports: &mut mpsc::Receiver<Report>) {
    loop {
        if let Report::Closed { conn } = next(reports).await {
            assert_eq!(conn, CONN);
            return;
        }
    }
}

#[tokio::test]
async fn bytes_arrive_and_what_is_written_is_reported() {
    let (stream, mut reports, mut peer) = pair().await;
    peer.write_all(b"hello").await.unwrap();
    let Report::Bytes { chunk, .. } = next(&mut reports).await else {
        panic!("bytes first");
    };
    assert_eq!(chunk.bytes, b"hello"[..]);
    stream.write(BytesMut::from(&b"goodbye"[..]));
    let Report::Sent { bytes, .. } = next(&mut reports).await else {
        panic!("then what was written");
    };
    assert_eq!(bytes, 7);
    let mut read = [0; 7];
    peer.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"goodbye");
}

#[tokio::test]
async fn reading_stops_while_chunks_are_not_taken() {
    let (_stream, mut reports, mut peer) = pair().await;
    peer.write_all(b"1").await.unwrap();
    let first = next(&mut reports).await;
    peer.write_all(b"2").await.unwrap();
    let _second = next(&mut reports).await;
    // Two credits are out: the third octet stays in the kernel until one comes back.
    peer.write_all(b"3").await.unwrap();
    let held = tokio::time::timeout(Duration::from_millis(100), reports.recv()).await;
    assert!(held.is_err(), "{held:?}");
    drop(first);
    let Report::Bytes { chunk, .. } = next(&mut reports).await else {
        panic!("reading goes on");
    };
    assert_eq!(chunk.bytes, b"3"[..]);
}

#[tokio::test]
async fn last_words_arrive_although_the_peer_is_still_sending() {
    let (stream, mut reports, mut peer) = pair().await;
    peer.write_all(&[0; 200_000]).await.unwrap();
    stream.write(BytesMut::from(&b"notification"[..]));
    let _leaving = stream.leave();
    // Whoever holds the driver's place takes chunks and ignores them.
    let words = async {
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        drop(peer);
        read
    };
    let (words, ()) = tokio::join!(words, expect_closed(&mut reports));
    assert_eq!(words, b"notification");
}

#[tokio::test]
async fn leave_taking_from_a_peer_that_never_closes_ends() {
    let (stream, mut reports, peer) = pair().await;
    let _leaving = stream.leave();
    let started = std::time::Instant::now();
    expect_closed(&mut reports).await;
    assert!(started.elapsed() >= LINGER, "the peer was given its time");
    drop(peer);
}

#[tokio::test]
async fn a_peer_that_closes_is_reported() {
    let (_stream, mut reports, peer) = pair().await;
    drop(peer);
    expect_closed(&mut reports).await;
}

#[tokio::test]
async fn dropping_the_drivers_end_closes_at_once() {
    let (stream, _reports, mut peer) = pair().await;
    drop(stream);
    let read = tokio::time::timeout(Duration::from_secs(10), peer.read(&mut [0; 1])).await;
    assert!(matches!(read.unwrap(), Ok(0) | Err(_)));
}

#[tokio::test]
async fn what_the_peer_said_before_it_reset_is_read_although_writing_fails() {
    // Which of the two is looked at first is left to chance.
    for _ in 0..32 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        peer.write_all(b"notification").await.unwrap();
        SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(peer);
        let (report, mut reports) = mpsc::channel(64);
        let stream = Stream::spawn(CONN, socket, report);
        stream.write(BytesMut::from(&b"update"[..]));
        let mut read = BytesMut::new();
        loop {
            match next(&mut reports).await {
                Report::Bytes { chunk, .. } => read.extend_from_slice(&chunk.bytes),
                Report::Closed { .. } => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(read, b"notification"[..]);
    }
}
