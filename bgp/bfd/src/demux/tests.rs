//! Packets by discriminator, source, port and TTL.

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU8, NonZeroU32};

use super::{Arrival, Demux, Discard, Source};
use crate::session::config::Hop;
use crate::wire::{Diagnostic, Packet, State};

const NEAR: NonZeroU32 = NonZeroU32::new(1).unwrap();
const FAR: NonZeroU32 = NonZeroU32::new(2).unwrap();

const fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

const fn single(interface: u32, last: u8) -> Source {
    Source::Single {
        interface,
        remote: address(last),
    }
}

const fn multi(local: u8, remote: u8) -> Source {
    Source::Multi {
        local: address(local),
        remote: address(remote),
    }
}

fn demux() -> Demux<&'static str> {
    let mut demux = Demux::default();
    demux.insert(NEAR, single(3, 1), Hop::Single, "near");
    demux.insert(FAR, multi(9, 2), Hop::Multi { min_ttl: 250 }, "far");
    demux
}

fn packet(yours: Option<NonZeroU32>) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state: State::Down,
        poll: false,
        finished: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::MIN,
        my_discriminator: NonZeroU32::MIN,
        your_discriminator: yours,
        desired_min_tx_us: 1,
        required_min_rx_us: 1,
        required_min_echo_rx_us: 0,
    }
}

const fn arrival(source: Source, ttl: u8) -> Arrival {
    Arrival {
        source,
        ttl: Some(ttl),
    }
}

fn find(yours: Option<NonZeroU32>, source: Source, ttl: u8) -> Result<&'static str, Discard> {
    let found = demux();
    found.find(&packet(yours), &arrival(source, ttl)).copied()
}

#[test]
fn a_sender_that_does_not_know_us_is_known_by_where_it_is() {
    assert_eq!(find(None, single(3, 1), 255), Ok("near"));
    assert_eq!(find(None, single(4, 1), 255), Err(Discard::UnknownSource));
    assert_eq!(find(None, single(3, 2), 255), Err(Discard::UnknownSource));
    assert_eq!(find(None, multi(9, 2), 250), Ok("far"));
    assert_eq!(find(None, multi(8, 2), 250), Err(Discard::UnknownSource));
}

#[test]
fn a_session_of_any_interface_or_address_yields_to_one_that_names_it() {
    let mut demux = demux();
    let third = NonZeroU32::new(3).unwrap();
    let fourth = NonZeroU32::new(4).unwrap();
    let any = Source::Multi {
        local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote: address(2),
    };
    demux.insert(third, single(0, 1), Hop::Single, "any link");
    demux.insert(fourth, any, Hop::Multi { min_ttl: 1 }, "any address");
    let find = |source| demux.find(&packet(None), &arrival(source, 255)).copied();
    assert_eq!(find(single(3, 1)), Ok("near"));
    assert_eq!(find(single(4, 1)), Ok("any link"));
    assert_eq!(find(single(4, 2)), Err(Discard::UnknownSource));
    assert_eq!(find(multi(9, 2)), Ok("far"));
    assert_eq!(find(multi(8, 2)), Ok("any address"));
}

#[test]
fn our_discriminator_alone_counts_once_it_is_known() {
    assert_eq!(find(Some(NEAR), single(4, 7), 255), Ok("near"));
    let unknown = NonZeroU32::new(3);
    assert_eq!(
        find(unknown, single(3, 1), 255),
        Err(Discard::UnknownDiscriminator)
    );
}

#[test]
fn a_single_hop_is_ttl_255_or_nothing_and_multihop_has_its_least() {
    for yours in [None, Some(NEAR)] {
        assert_eq!(find(yours, single(3, 1), 254), Err(Discard::Ttl));
    }
    for yours in [None, Some(FAR)] {
        assert_eq!(find(yours, multi(9, 2), 249), Err(Discard::Ttl));
        assert_eq!(find(yours, multi(9, 2), 255), Ok("far"));
    }
}

#[test]
fn a_packet_whose_ttl_is_unknown_is_too_far_away() {
    let demux = demux();
    let arrival = Arrival {
        source: single(3, 1),
        ttl: None,
    };
    assert_eq!(demux.find(&packet(Some(NEAR)), &arrival), Err(Discard::Ttl));
}

#[test]
fn the_ports_of_single_and_multihop_do_not_mix() {
    assert_eq!(find(Some(FAR), single(3, 1), 255), Err(Discard::OtherPort));
    assert_eq!(find(Some(NEAR), multi(9, 2), 255), Err(Discard::OtherPort));
}

#[test]
fn a_removed_session_takes_its_own_source_along_only() {
    let mut demux = demux();
    demux.insert(FAR, single(3, 1), Hop::Single, "heir");
    demux.remove(NEAR);
    assert!(demux.contains(FAR) && !demux.contains(NEAR));
    let arrival = arrival(single(3, 1), 255);
    assert_eq!(demux.find(&packet(None), &arrival), Ok(&"heir"));
}
