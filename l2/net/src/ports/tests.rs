//! Real packet sockets on the loopback interface.

use std::future::poll_fn;
use std::io::Write as _;
use std::time::Duration;

use ringbolt_l2::announcer::{DefaultRoute, Link};
use ringbolt_l2::types::InterfaceName;

use super::*;

/// Loopback has index 1 in every network namespace.
const LOOPBACK: IfIndex = IfIndex(1);
const MARK: &[u8] = b"ringbolt ports test";

fn loopback() -> Interface {
    Interface {
        index: LOOPBACK,
        name: InterfaceName::new("lo").unwrap(),
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        addresses: Vec::new(),
        gateways: Vec::new(),
        default_route: DefaultRoute {
            ipv4: false,
            ipv6: false,
        },
        link: Link::Up,
    }
}

/// Sockets need `CAP_NET_RAW`; without it the test says that it did not run.
fn open() -> Option<Ports> {
    let mut ports = Ports::new();
    ports.keep(&[loopback()]);
    if ports
        .failures()
        .values()
        .any(|one| *one == PortError::NotPermitted)
    {
        let _nobody_reads = writeln!(
            io::stderr(),
            "skipped: packet sockets on loopback: needs CAP_NET_RAW"
        );
        return None;
    }
    assert!(ports.is_open(LOOPBACK));
    Some(ports)
}

/// A frame that passes the filter of its socket.
fn frame(ethertype: u16) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(ethertype.to_be_bytes());
    if ethertype == ETHERTYPE_ARP {
        frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
        frame.resize(42, 0);
    }
    frame.extend(MARK);
    frame.resize(80, 0);
    frame
}

#[tokio::test]
async fn what_speakers_say_is_read_before_the_questions_of_stations() {
    let Some(mut ports) = open() else { return };
    for ethertype in [ETHERTYPE_ARP, ETHERTYPE_RINGBOLT] {
        ports.writer().send(LOOPBACK, &frame(ethertype)).unwrap();
    }
    let mut order = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), async {
        // Both frames wait in their sockets: loopback delivers within the send.
        while order.len() < 2 {
            poll_fn(|context| ports.poll_readable(context)).await;
            ports.read(|_, channel, frame, _| {
                if frame.windows(MARK.len()).any(|part| part == MARK) {
                    order.push(channel);
                }
            });
        }
    })
    .await
    .unwrap();
    assert_eq!(order, [Channel::Sealed, Channel::Arp]);
}
