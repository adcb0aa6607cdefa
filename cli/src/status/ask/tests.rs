//! Speakers that answer, and places where nobody does.

use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn an_answer_proves_life_and_anything_else_nothing() {
    for (answer, lives) in [
        ("HTTP/1.1 200 OK\r\n\r\nok\n", Some(true)),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(false)),
        ("", None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap();
        let speaker = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        assert_eq!(answers(place).await.ok(), lives, "{answer:?}");
        speaker.await.unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    assert!(answers(nobody).await.is_err());
}
