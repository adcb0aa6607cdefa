//! The table of pools.

use ringbolt_config::api::IPAddressPool;
use serde::Serialize;

use super::Row;
use super::view::View;

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PoolRow {
    pub(super) name: String,
    pub(super) addresses: Vec<String>,
    #[serde(rename = "assignedIPv4")]
    pub(super) assigned_ipv4: Option<i64>,
    #[serde(rename = "availableIPv4")]
    pub(super) available_ipv4: Option<i64>,
    #[serde(rename = "assignedIPv6")]
    pub(super) assigned_ipv6: Option<i64>,
    #[serde(rename = "availableIPv6")]
    pub(super) available_ipv6: Option<i64>,
    pub(super) ready: String,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

impl Row for PoolRow {
    const TITLES: &'static [&'static str] = &[
        "NAME",
        "ASSIGNED4",
        "FREE4",
        "ASSIGNED6",
        "FREE6",
        "READY",
        "REASON",
        "ADDRESSES",
        "MESSAGE",
    ];
    const NARROW: usize = 7;

    fn cells(&self) -> Vec<String> {
        let number =
            |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        vec![
            self.name.clone(),
            number(self.assigned_ipv4),
            number(self.available_ipv4),
            number(self.assigned_ipv6),
            number(self.available_ipv6),
            self.ready.clone(),
            self.reason.clone().unwrap_or_default(),
            self.addresses.join(","),
            self.message.clone().unwrap_or_default(),
        ]
    }
}

pub(super) fn rows(view: &View) -> Vec<PoolRow> {
    view.pools.iter().map(|pool| row(pool)).collect()
}

fn row(pool: &IPAddressPool) -> PoolRow {
    let status = pool.status.clone().unwrap_or_default();
    let condition = |kind: &str| {
        status
            .conditions
            .iter()
            .find(|condition| condition.type_ == kind)
    };
    let ready = condition("Ready");
    // What is wrong comes first: not ready or about to go, then what limits a pool that stays.
    let told = ready
        .filter(|condition| condition.status != "True" || condition.reason == "Deleting")
        .or_else(|| condition("Conflicting").filter(|condition| condition.status == "True"))
        .or_else(|| condition("Exhausted").filter(|condition| condition.status == "True"));
    PoolRow {
        name: pool.metadata.name.clone().unwrap_or_default(),
        addresses: pool.spec.addresses.clone(),
        assigned_ipv4: status.assigned_ipv4,
        available_ipv4: status.available_ipv4,
        assigned_ipv6: status.assigned_ipv6,
        available_ipv6: status.available_ipv6,
        ready: ready.map_or_else(
            || "Unknown".to_owned(),
            |condition| condition.status.clone(),
        ),
        reason: told.map(|condition| condition.reason.clone()),
        message: told.map(|condition| condition.message.clone()),
    }
}
