//! Which interfaces announce, by what netlink says of them.

use super::*;

fn link(index: u32, name: &str) -> LinkRecord {
    LinkRecord {
        index,
        name: name.to_owned(),
        mac: Some(MacAddr([2, 0, 0, 0, 0, u8::try_from(index).unwrap()])),
        link: Link::Up,
        role: Role::Own,
    }
}

fn address(index: u32, prefix: &str) -> AddressRecord {
    AddressRecord {
        index,
        prefix: prefix.parse().unwrap(),
    }
}

fn names(node: &NodeRecord, asked_for: &[&str]) -> Vec<String> {
    let asked_for = asked_for
        .iter()
        .map(|name| InterfaceName::new(name).unwrap())
        .collect();
    announcing(node, &asked_for)
        .iter()
        .map(|interface| interface.name.to_string())
        .collect()
}

#[test]
fn segments_announce_and_container_networks_do_not() {
    let node = NodeRecord {
        links: vec![
            LinkRecord {
                role: Role::NoNeighbours,
                ..link(1, "lo")
            },
            link(9, "eth0"),
            link(3, "bond0.100"),
            LinkRecord {
                role: Role::Port,
                ..link(4, "eno1")
            },
            link(5, "cni0"),
            link(6, "veth1a2b"),
            link(7, "vethlab"),
            LinkRecord {
                mac: None,
                ..link(8, "wg0")
            },
        ],
        addresses: vec![
            address(6, "fe80::1/64"),
            address(7, "192.0.2.1/24"),
            address(7, "fe80::2/64"),
        ],
        routes: Vec::new(),
    };
    assert_eq!(names(&node, &[]), ["bond0.100", "vethlab", "eth0"]);
    assert_eq!(
        names(&node, &["cni0", "eno1", "lo", "nowhere"]),
        ["bond0.100", "cni0", "vethlab", "eth0"]
    );
}

#[test]
fn addresses_gateways_and_default_routes_belong_to_their_interface() {
    let route = |index, destination: Option<&str>, family, gateway: &str| RouteRecord {
        index,
        destination: destination.map(|prefix| prefix.parse().unwrap()),
        family,
        gateway: Some(gateway.parse().unwrap()),
    };
    let node = NodeRecord {
        links: vec![link(2, "eth0"), link(3, "eth1")],
        addresses: vec![address(2, "192.0.2.11/24"), address(3, "2001:db8::1/64")],
        routes: vec![
            route(2, None, Family::Ipv4, "192.0.2.1"),
            route(2, Some("10.0.0.0/8"), Family::Ipv4, "192.0.2.1"),
            route(2, Some("10.0.0.0/9"), Family::Ipv4, "192.0.2.9"),
            route(3, Some("::/0"), Family::Ipv6, "fe80::9"),
        ],
    };
    let [eth0, eth1] = &announcing(&node, &BTreeSet::new())[..] else {
        panic!("two interfaces")
    };
    assert_eq!(
        eth0.gateways,
        [
            "192.0.2.1".parse::<IpAddr>().unwrap(),
            "192.0.2.9".parse().unwrap()
        ]
    );
    assert_eq!(
        eth0.default_route,
        DefaultRoute {
            ipv4: true,
            ipv6: false
        }
    );
    assert_eq!(eth1.addresses, ["2001:db8::1/64".parse::<IpNet>().unwrap()]);
    assert_eq!(
        eth1.default_route,
        DefaultRoute {
            ipv4: false,
            ipv6: true
        }
    );
}
