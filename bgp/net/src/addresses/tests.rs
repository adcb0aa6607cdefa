//! Next hops of the other family: found, chosen, or honestly absent.

use super::*;

fn interfaces(list: &[(&str, &str)]) -> Vec<InterfaceAddress> {
    let entry = |(interface, net): &(&str, &str)| InterfaceAddress {
        interface: (*interface).to_owned(),
        net: net.parse().unwrap(),
    };
    list.iter().map(entry).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Option<Ipv6Addr> {
    Some(text.parse().unwrap())
}

#[test]
fn the_only_global_address_of_the_interface_is_the_other_familys_next_hop() {
    let all = interfaces(&[
        ("eth0", "10.0.0.1/24"),
        ("eth0", "2001:db8::1/64"),
        ("eth0", "fe80::1/64"),
        ("eth1", "2001:db8:1::1/64"),
    ]);
    let over_v4 = next_hops(ip("10.0.0.1"), ip("10.0.0.254"), &all, &[]);
    assert_eq!(over_v4.ipv6, v6("2001:db8::1"));
    assert_eq!(over_v4.ipv6_link_local, None);
    let over_v6 = next_hops(ip("2001:db8::1"), ip("2001:db8::fe"), &all, &[]);
    assert_eq!(over_v6.ipv4, Some(Ipv4Addr::new(10, 0, 0, 1)));
}

#[test]
fn of_several_the_nodes_own_is_taken_and_without_it_none() {
    let all = interfaces(&[
        ("eth0", "10.0.0.1/24"),
        ("eth0", "2001:db8::1/64"),
        ("eth0", "2001:db8::2/64"),
    ]);
    let ask = |node: &[IpAddr]| next_hops(ip("10.0.0.1"), ip("10.0.0.254"), &all, node).ipv6;
    assert_eq!(ask(&[ip("10.0.0.1"), ip("2001:db8::2")]), v6("2001:db8::2"));
    assert_eq!(ask(&[ip("10.0.0.1")]), None);
}

#[test]
fn nothing_is_guessed_without_a_global_address() {
    let all = interfaces(&[
        ("eth0", "10.0.0.1/24"),
        ("eth0", "fe80::1/64"),
        ("eth1", "2001:db8::1/64"),
    ]);
    let found = next_hops(ip("10.0.0.1"), ip("10.0.0.254"), &all, &[ip("2001:db8::1")]);
    assert_eq!(found, NextHops::default());
    let unknown_source = next_hops(ip("10.9.9.9"), ip("10.0.0.254"), &all, &[]);
    assert_eq!(unknown_source, NextHops::default());
}

#[test]
fn loopback_is_no_next_hop() {
    let all = interfaces(&[("lo", "127.0.0.1/8"), ("lo", "::1/128")]);
    assert_eq!(
        next_hops(ip("127.0.0.1"), ip("127.0.0.2"), &all, &[]),
        NextHops::default()
    );
    assert_eq!(next_hops(ip("::1"), ip("::1"), &all, &[]).ipv4, None);
}

#[test]
fn the_link_local_companion_is_for_peers_on_the_link() {
    let all = interfaces(&[("eth0", "2001:db8::1/64"), ("eth0", "fe80::1/64")]);
    let on_link = next_hops(ip("2001:db8::1"), ip("2001:db8::fe"), &all, &[]);
    assert_eq!(on_link.ipv6_link_local, v6("fe80::1"));
    let beyond = next_hops(ip("2001:db8::1"), ip("2001:db9::fe"), &all, &[]);
    assert_eq!(beyond.ipv6_link_local, None);
}
