//! The netlink conversation: dump links, addresses and routes; wait for changes.
//!
//! Owns the connection and the reduction of its messages to records. Decides nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt};
use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoPortKind, LinkAttribute, LinkEvent, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use ringbolt_l2::announcer::Link;
use ringbolt_l2::types::{IfIndex, MacAddr};
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::{Handle, MulticastGroup, RouteMessageBuilder};

use super::choice::{AddressRecord, Family, LinkRecord, NodeRecord, Role, RouteRecord};

/// A dump that takes longer is given up.
const DUMP_TIMEOUT: Duration = Duration::from_secs(10);

/// Why following stopped; it starts again.
#[derive(Debug, thiserror::Error)]
pub(super) enum NetlinkError {
    #[error("cannot open a netlink socket")]
    Open(#[from] std::io::Error),
    #[error("a netlink dump failed")]
    Dump(#[from] rtnetlink::Error),
    #[error("a netlink dump took longer than 10 s")]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("the netlink connection ended")]
    Ended,
}

type Messages = std::pin::Pin<Box<dyn Stream<Item = NetlinkPayload<RouteNetlinkMessage>> + Send>>;

/// An open connection that is subscribed to links and addresses.
pub(super) struct Netlink {
    handle: Handle,
    messages: Messages,
    connection: tokio::task::JoinHandle<()>,
}

impl Netlink {
    pub(super) fn open() -> Result<Self, NetlinkError> {
        let (connection, handle, messages) = rtnetlink::new_multicast_connection(&[
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ])?;
        Ok(Self {
            handle,
            messages: Box::pin(messages.map(|(message, _from)| message.payload)),
            connection: tokio::spawn(connection),
        })
    }

    /// Everything at one time, or nearly: what changes meanwhile is notified.
    pub(super) async fn dump(&mut self) -> Result<NodeRecord, NetlinkError> {
        tokio::time::timeout(DUMP_TIMEOUT, dump(&self.handle)).await?
    }

    /// Waits for a change. Gives back the interfaces whose stations should hear of us again; whatever else changed is
    /// in the next dump.
    pub(super) async fn changed(&mut self) -> Result<BTreeSet<IfIndex>, NetlinkError> {
        let asking = next_batch(&mut self.messages).await;
        asking.ok_or(NetlinkError::Ended)
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Waits for one notification and takes all that wait behind it: one dump covers them all. `None` when there are no more.
///
/// Cancel safety: nothing is taken before the only wait is over.
async fn next_batch(messages: &mut Messages) -> Option<BTreeSet<IfIndex>> {
    let first = messages.next().await?;
    let mut asking: BTreeSet<IfIndex> = asks_for_announcements(&first).into_iter().collect();
    while let Some(Some(payload)) = messages.next().now_or_never() {
        asking.extend(asks_for_announcements(&payload));
    }
    Some(asking)
}

/// The interface, where the notification says that stations behind it may have lost track of us.
fn asks_for_announcements(payload: &NetlinkPayload<RouteNetlinkMessage>) -> Option<IfIndex> {
    let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = payload else {
        return None;
    };
    let announces = link.attributes.iter().any(|attribute| {
        matches!(
            attribute,
            LinkAttribute::Event(LinkEvent::BondingFailover | LinkEvent::NotifyPeers)
        )
    });
    announces.then_some(IfIndex(link.header.index))
}

async fn dump(handle: &Handle) -> Result<NodeRecord, NetlinkError> {
    let mut node = NodeRecord::default();
    let mut links = handle.link().get().execute();
    while let Some(message) = links.try_next().await? {
        node.links.push(link_record(&message));
    }
    let mut addresses = handle.address().get().execute();
    while let Some(message) = addresses.try_next().await? {
        node.addresses.extend(address_record(&message));
    }
    for request in [
        RouteMessageBuilder::<Ipv4Addr>::new().build(),
        RouteMessageBuilder::<Ipv6Addr>::new().build(),
    ] {
        let mut routes = handle.route().get(request).execute();
        while let Some(message) = routes.try_next().await? {
            node.routes.extend(route_record(&message));
        }
    }
    Ok(node)
}

fn link_record(message: &LinkMessage) -> LinkRecord {
    let flags = message.header.flags;
    let mut record = LinkRecord {
        index: message.header.index,
        name: String::new(),
        mac: None,
        link: if flags.contains(LinkFlags::Up | LinkFlags::LowerUp) {
            Link::Up
        } else {
            Link::Down
        },
        role: Role::Own,
    };
    let (mut enslaved, mut in_vrf) = (false, false);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => record.name.clone_from(name),
            LinkAttribute::Address(bytes)
                if message.header.link_layer_type == LinkLayerType::Ether =>
            {
                record.mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddr);
            }
            LinkAttribute::Controller(master) => enslaved = *master != 0,
            LinkAttribute::LinkInfo(infos) => {
                in_vrf = infos
                    .iter()
                    .any(|info| matches!(info, LinkInfo::PortKind(InfoPortKind::Vrf)));
            }
            _ => {}
        }
    }
    if flags.intersects(LinkFlags::Loopback | LinkFlags::Noarp) {
        record.role = Role::NoNeighbours;
    } else if enslaved && !in_vrf {
        record.role = Role::Port;
    }
    record
}

/// `None` for an address that must not be used yet, or never.
fn address_record(message: &AddressMessage) -> Option<AddressRecord> {
    let unusable = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
    if message.header.flags.intersects(unusable) {
        return None;
    }
    // IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the other end (linux/if_addr.h).
    let of =
        |pick: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(pick);
    let local = of(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = local.or_else(|| {
        of(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })?;
    let prefix = IpNet::new(address, message.header.prefix_len).ok()?;
    Some(AddressRecord {
        index: message.header.index,
        prefix,
    })
}

/// `None` for routes that say nothing about gateways and defaults.
fn route_record(message: &RouteMessage) -> Option<RouteRecord> {
    if message.header.kind != RouteType::Unicast {
        return None;
    }
    let family = match message.header.address_family {
        AddressFamily::Inet => Family::Ipv4,
        AddressFamily::Inet6 => Family::Ipv6,
        _ => return None,
    };
    let (mut index, mut gateway, mut destination) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Destination(address) => {
                destination = ip(address)
                    .and_then(|to| IpNet::new(to, message.header.destination_prefix_length).ok());
            }
            _ => {}
        }
    }
    let is_default = destination.is_none() && message.header.destination_prefix_length == 0;
    (gateway.is_some() || is_default).then_some(RouteRecord {
        index: index?,
        destination,
        family,
        gateway,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
