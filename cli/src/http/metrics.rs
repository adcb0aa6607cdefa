//! `/metrics` in the two formats scrapers ask for. Owns the conversion between them; the numbers
//! belong to the daemons.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;

use super::Shown;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// OpenMetrics for a scraper that accepts it, the older Prometheus text for everyone else.
pub(super) async fn metrics(State(shown): State<Shown>, headers: HeaderMap) -> Response {
    let mut text = String::new();
    if encode(&mut text, &shown.metrics).is_err() {
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let accepts_openmetrics = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/openmetrics-text"));
    if accepts_openmetrics {
        ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response()
    } else {
        ([(header::CONTENT_TYPE, PROMETHEUS)], prometheus_text(&text)).into_response()
    }
}

/// OpenMetrics → Prometheus text 0.0.4: a counter's family carries the name of its samples
/// (`_total`), and `# UNIT` and `# EOF` do not exist.
pub(super) fn prometheus_text(openmetrics: &str) -> String {
    let counters: Vec<&str> = openmetrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        text.push_str(&with_sample_name(line, &counters).unwrap_or_else(|| line.to_owned()));
        text.push('\n');
    }
    text
}

/// The line with `_total` behind the family's name, where it is a HELP or TYPE line of a counter.
fn with_sample_name(line: &str, counters: &[&str]) -> Option<String> {
    let (keyword, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (family, rest) = rest.split_once(' ')?;
    counters
        .contains(&family)
        .then(|| format!("# {keyword} {family}_total {rest}"))
}
