//! `ringbolt_api_calls_total`: what this process asked of the API server, as the cluster counts it.
//!
//! Read when somebody scrapes. Nothing is shown where objects come from a directory.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use ringbolt_cluster::Cluster;

/// Puts the calls of a cluster among a daemon's metrics.
pub(crate) fn register(metrics: &mut Registry, cluster: &Cluster) {
    metrics.register_collector(Box::new(ApiCalls(cluster.clone())));
}

#[derive(Debug)]
struct ApiCalls(Cluster);

impl Collector for ApiCalls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let calls = self.0.calls();
        if calls.is_empty() {
            return Ok(());
        }
        let counter = ConstCounter::new(0u64);
        let mut family = encoder.encode_descriptor(
            "ringbolt_api_calls",
            "Calls to the API server, by verb, kind and outcome; every try counts",
            None,
            counter.metric_type(),
        )?;
        for ((verb, kind, outcome), count) in calls {
            let labels = [
                ("verb", verb.as_str()),
                ("kind", kind),
                ("outcome", outcome.as_str()),
            ];
            let of_row = family.encode_family(&labels)?;
            ConstCounter::new(count).encode(of_row)?;
        }
        Ok(())
    }
}
