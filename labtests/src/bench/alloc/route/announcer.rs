//! The least a BGP speaker can be: one session, and an UPDATE for every address it is told.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread;

use anyhow::Result;

use crate::bench::sink::{Session, UPDATE, connect, message};
use crate::netns::Netns;

/// A session that only announces. Dropping it ends the session, and its routes go.
#[derive(Debug)]
pub(super) struct Announcer {
    stream: TcpStream,
    address: Ipv4Addr,
    asn: u16,
}

impl Drop for Announcer {
    fn drop(&mut self) {
        // The neighbour may have ended it already, which is what is wanted.
        self.stream.shutdown(Shutdown::Both).ok();
    }
}

impl Announcer {
    pub(super) fn dial(space: &Netns, address: Ipv4Addr, asn: u16, to: Ipv4Addr) -> Result<Self> {
        let stream = space.inside(|| connect(address, to))??;
        let mut session = Session::begin(stream.try_clone()?, asn, address)?;
        // What the neighbour says is of no interest, but it wants an answer to its keepalives.
        thread::spawn(move || session.follow(&mut |_| Ok(())));
        Ok(Self {
            stream,
            address,
            asn,
        })
    }

    pub(super) fn announce(&mut self, host: Ipv4Addr) -> Result<()> {
        let update = update(host, self.address, self.asn);
        Ok(self.stream.write_all(&message(UPDATE, &update))?)
    }
}

/// RFC 4271 section 4.3: nothing withdrawn, ORIGIN IGP, an AS_PATH of one AS in four octets (RFC 6793), NEXT_HOP.
fn update(host: Ipv4Addr, next_hop: Ipv4Addr, asn: u16) -> Vec<u8> {
    let [a, b, c, d] = u32::from(asn).to_be_bytes();
    let mut body = vec![0, 0, 0, 20];
    body.extend([0x40, 1, 1, 0]);
    body.extend([0x40, 2, 6, 2, 1, a, b, c, d]);
    body.extend([0x40, 3, 4]);
    body.extend(next_hop.octets());
    body.push(32);
    body.extend(host.octets());
    body
}

#[cfg(test)]
mod tests;
