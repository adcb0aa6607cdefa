//! What a scraper, a probe and a browser get. No socket is opened but in the test of a busy port.

use serde_json::json;

use super::metrics::prometheus_text;
use super::*;

fn shown(ready: bool, status: &Value) -> (Shown, watch::Sender<bool>) {
    let (set_ready, ready) = watch::channel(ready);
    let (_status, status) = watch::channel(status.to_string().into());
    (
        Shown {
            daemon: "speaker",
            metrics: Arc::new(Registry::default()),
            status,
            ready,
        },
        set_ready,
    )
}

#[tokio::test]
async fn readiness_follows_the_flag() {
    let (shown, set_ready) = shown(false, &Value::Null);
    assert_eq!(
        readyz(State(shown.clone())).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    set_ready.send_replace(true);
    assert_eq!(readyz(State(shown)).await.status(), StatusCode::OK);
}

#[test]
fn the_page_shows_every_field_and_no_markup_of_others() {
    let document = json!({
        "node": "n1",
        "sessions": [{"peer": "tor", "state": "Established"}, {"peer": "<script>", "error": "a & b"}],
        "problems": [],
    });
    let page = page::render("speaker", &document);
    for text in [
        "n1",
        "tor",
        "Established",
        "&lt;script&gt;",
        "a &amp; b",
        "<h2>problems</h2>",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert!(!page.contains("<script>"), "{page}");
}

#[test]
fn a_counter_keeps_its_samples_name_in_prometheus_text() {
    let openmetrics = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total 3\n# HELP g Level.\n# TYPE g gauge\n# UNIT g bytes\ng 1\n# EOF\n";
    assert_eq!(
        prometheus_text(openmetrics),
        "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total 3\n# HELP g Level.\n# TYPE g gauge\ng 1\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_busy_port_is_taken_once_it_is_free() {
    let busy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = busy.local_addr().unwrap();
    let stop = CancellationToken::new();
    let waiting = tokio::spawn({
        let stop = stop.clone();
        async move {
            listen(address, &stop)
                .await
                .map(|listener| listener.local_addr().unwrap())
        }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(
        !waiting.is_finished(),
        "the port was taken while another held it"
    );
    drop(busy);
    assert_eq!(waiting.await.unwrap(), Some(address));
}

#[tokio::test(start_paused = true)]
async fn a_busy_port_does_not_hold_up_the_end() {
    let busy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    assert!(listen(busy.local_addr().unwrap(), &stop).await.is_none());
}
