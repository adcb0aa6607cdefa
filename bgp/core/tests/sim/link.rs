//! A TCP connection of the world: two ends, bytes under way between them, and a wiretap.

use bytes::BytesMut;
use ringbolt_bgp::types::{ConnId, Peering};

use crate::node::NodeIx;
use crate::observer::Observer;

/// Names a connection of the world.
pub(crate) type LinkId = u64;

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Dialler,
    Acceptor,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Dialler, Self::Acceptor];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }
}

/// How much the kernel takes of what the other end has not read.
pub(crate) const SOCKET_BUFFER: usize = 48 * 1024;

/// Whether an end's process has its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    /// The process does not know yet.
    Pending,
    Open,
    Closed,
}

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) node: NodeIx,
    pub(crate) life: u32,
    pub(crate) conn: ConnId,
    pub(crate) socket: Socket,
    /// The driver's buffer.
    pub(crate) out: BytesMut,
    /// Taken by the kernel, not read by the other end.
    pub(crate) wire: BytesMut,
    /// A delivery is on the calendar.
    pub(crate) delivering: bool,
    /// Nothing will follow what is on the wire.
    pub(crate) fin: bool,
    /// What this end says, as it says it.
    pub(crate) said: Observer,
    /// What the other end has read of it.
    pub(crate) heard: Observer,
}

impl End {
    pub(crate) fn new(node: NodeIx, life: u32, conn: ConnId, peering: Peering) -> Self {
        Self {
            node,
            life,
            conn,
            socket: Socket::Pending,
            out: BytesMut::new(),
            wire: BytesMut::new(),
            delivering: false,
            fin: false,
            said: Observer::new(peering),
            heard: Observer::new(peering),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) dialler: End,
    pub(crate) acceptor: End,
    /// The machine of one end is gone without a word: nothing arrives anywhere.
    pub(crate) void: bool,
}

impl Link {
    pub(crate) const fn end(&self, side: Side) -> &End {
        match side {
            Side::Dialler => &self.dialler,
            Side::Acceptor => &self.acceptor,
        }
    }

    pub(crate) const fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Dialler => &mut self.dialler,
            Side::Acceptor => &mut self.acceptor,
        }
    }
}
