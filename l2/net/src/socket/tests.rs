//! A real packet socket on the loopback interface.

use std::io::Write as _;
use std::time::Duration;

use super::*;
use crate::filter;

/// Loopback has index 1 in every network namespace.
const LOOPBACK: IfIndex = IfIndex(1);
const MARK: &[u8] = b"ringbolt socket test";

fn binding(filter: &[Instruction]) -> Binding<'_> {
    Binding {
        interface: LOOPBACK,
        ethertype: filter::ETHERTYPE_RINGBOLT,
        filter,
        group: Some(MacAddr([0x33, 0x33, 0, 0, 0, 0x77])),
    }
}

fn frame() -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(filter::ETHERTYPE_RINGBOLT.to_be_bytes());
    frame.extend(MARK);
    frame.resize(60, 0);
    frame
}

/// Packet sockets need `CAP_NET_RAW`; without it the test says that it did not run.
fn open(filter: &[Instruction]) -> Option<PacketSocket> {
    match PacketSocket::open(&binding(filter)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let _nobody_reads = writeln!(
                io::stderr(),
                "skipped: packet socket on loopback: needs CAP_NET_RAW"
            );
            None
        }
        other => Some(other.unwrap()),
    }
}

#[tokio::test]
async fn a_frame_sent_on_loopback_is_read_by_another_socket() {
    let filter = filter::sealed();
    let (Some(sender), Some(reader)) = (open(&filter), open(&filter)) else {
        return;
    };
    sender.send(&frame()).unwrap();
    let mut buffer = [0; 2048];
    let length = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            std::future::poll_fn(|context| reader.poll_readable(context))
                .await
                .unwrap();
            // Other tests of this machine may use the Ethertype too.
            if let Some(length) = reader.try_read(&mut buffer).unwrap()
                && buffer[14..].starts_with(MARK)
            {
                return length;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(&buffer[..length], &frame()[..]);
    assert_eq!(reader.take_drops().unwrap(), 0);
}

#[tokio::test]
async fn a_socket_knows_its_interface() {
    let filter = filter::sealed();
    let Some(socket) = open(&filter) else { return };
    assert_eq!(socket.bound_to().unwrap(), Some(LOOPBACK));
}

#[tokio::test]
async fn the_kernel_takes_every_filter() {
    for filter in [filter::arp(), filter::ndp(), filter::sealed()] {
        if open(&filter).is_none() {
            return;
        }
    }
}

#[tokio::test]
async fn a_missing_interface_is_an_error() {
    let filter = filter::sealed();
    if open(&filter).is_none() {
        return;
    }
    let nowhere = Binding {
        interface: IfIndex(u32::MAX),
        group: None,
        ..binding(&filter)
    };
    assert!(PacketSocket::open(&nowhere).is_err());
}
