//! The engine in a cluster of memory: what becomes of Services, whoever dies when.

mod cases;
mod crash;
mod foreign;
mod given;
mod kept;
mod rivals;
mod start;
mod taken;
mod told;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use world::World;

/// A pool of these ranges.
fn ranges(list: &[&str]) -> Value {
    json!({ "addresses": list })
}

fn annotated(annotations: Value) -> Value {
    json!({ "metadata": { "annotations": annotations } })
}

/// A Service that asks for addresses by annotation.
fn asks(addresses: &str) -> Value {
    annotated(json!({ "ringbolt.io/loadBalancerIPs": addresses }))
}
