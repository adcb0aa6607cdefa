//! What a Service's status says, and who said it.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::LoadBalancerStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use super::{FIELD_MANAGER, parse_ip};

/// How the data path treats an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpMode {
    /// Not said; the same as `Vip`, but not what we write (semantics rule 33).
    Unsaid,
    /// Packets arrive with the address as destination.
    Vip,
    /// A proxy stands before the nodes; never ours.
    Proxy,
}

/// One entry of `status.loadBalancer.ingress`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingress {
    /// An address.
    Address {
        /// The address.
        ip: IpAddr,
        /// How the data path treats it.
        mode: IpMode,
        /// Whether the entry is exactly what we would write: canonical text, no name, no ports.
        as_we_write: bool,
    },
    /// A name, or a text that is no address: never ours.
    Foreign {
        /// What stands there.
        text: Box<str>,
    },
}

impl Ingress {
    /// The address, if the entry is one.
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address { ip, .. } => Some(*ip),
            Self::Foreign { .. } => None,
        }
    }
}

/// Who wrote `status.loadBalancer`, by the record of field managers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusWriter {
    /// Nobody is on record.
    Nobody,
    /// We alone.
    Ours,
    /// Somebody else, be it beside us.
    Foreign {
        /// Who.
        manager: Box<str>,
    },
}

pub(super) fn ingress(status: LoadBalancerStatus) -> Vec<Ingress> {
    let entries = status.ingress.unwrap_or_default().into_iter();
    let entry = |entry: k8s_openapi::api::core::v1::LoadBalancerIngress| {
        let text = entry.ip.unwrap_or_default();
        let Some(ip) = parse_ip(&text) else {
            let text = entry.hostname.unwrap_or(text);
            return Ingress::Foreign { text: text.into() };
        };
        let mode = match entry.ip_mode.as_deref() {
            None => IpMode::Unsaid,
            Some("Proxy") => IpMode::Proxy,
            Some(_) => IpMode::Vip,
        };
        let plain = entry.hostname.is_none() && entry.ports.is_none_or(|ports| ports.is_empty());
        let as_we_write = plain && mode == IpMode::Vip && ip.to_string() == text;
        Ingress::Address {
            ip,
            mode,
            as_we_write,
        }
    };
    entries.map(entry).collect()
}

pub(super) fn writer(managed: &[ManagedFieldsEntry]) -> StatusWriter {
    let mut seen = StatusWriter::Nobody;
    for entry in managed {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        if fields.is_none_or(|fields| fields.pointer("/f:status/f:loadBalancer").is_none()) {
            continue;
        }
        match entry.manager.as_deref() {
            Some(FIELD_MANAGER) => seen = StatusWriter::Ours,
            other => {
                let manager = other.unwrap_or_default().into();
                return StatusWriter::Foreign { manager };
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests;
