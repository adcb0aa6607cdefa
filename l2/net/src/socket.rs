//! Packet sockets: the one file of this crate with `unsafe`, for what neither std, socket2 nor tokio wrap safely:
//! binding to a `sockaddr_ll`, the packet options, and registering with the runtime.
//!
//! The order is what matters: opened with protocol 0 so that nothing arrives, filter attached and locked, then bound.

#![expect(
    unsafe_code,
    reason = "sockaddr_ll and the SOL_PACKET options have no safe wrapper"
)]

use std::io::{self, Read, Write};
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use ringbolt_l2::types::{IfIndex, MacAddr};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::filter::Instruction;

/// Where the filters of this crate come from; each socket has one.
pub(crate) struct Binding<'a> {
    pub(crate) interface: IfIndex,
    pub(crate) ethertype: u16,
    pub(crate) filter: &'a [Instruction],
    /// A group whose frames the network card should let in.
    pub(crate) group: Option<MacAddr>,
}

/// A packet socket bound to one interface and one Ethertype.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    socket: AsyncFd<Socket>,
}

impl PacketSocket {
    /// Opens, filters, binds. Must be called inside a tokio runtime.
    pub(crate) fn open(binding: &Binding<'_>) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::PACKET,
            Type::RAW.nonblocking().cloexec(),
            Some(Protocol::from(0)),
        )?;
        socket.attach_filter(&kernel_form(binding.filter))?;
        set_option(&socket, libc::SOL_SOCKET, libc::SO_LOCK_FILTER, &1_i32)?;
        set_option(
            &socket,
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            &1_i32,
        )?;
        if let Some(group) = binding.group {
            join(&socket, binding.interface, group)?;
        }
        socket.bind(&address(binding.interface, binding.ethertype))?;
        // SAFETY: the descriptor is owned by the Socket inside, which lives as long as the registration and is never
        // closed, replaced or handed out while registered.
        let socket = unsafe { AsyncFd::register(socket) }.map_err(io::Error::from)?;
        Ok(Self { socket })
    }

    /// Ready when a read would not block.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(context).map_ok(|_guard| ())
    }

    /// One frame into `buffer`; `Ok(None)` when there is none, after which [`Self::poll_readable`] waits again.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // Bounded: a signal may interrupt a call, not for ever.
        for _attempt in 0..8 {
            match self.read_once(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
        Ok(None)
    }

    fn read_once(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self
            .socket
            .try_io(Interest::READABLE, |mut socket| socket.read(buffer))
        {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            other => other.map(Some),
        }
    }

    /// Writes one whole frame, Ethernet header included.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        let mut socket = self.socket.get_ref();
        let written = socket.write(frame)?;
        if written == frame.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    /// The interface the socket is bound to. `None` when that one is gone: the kernel binds no socket to a new device
    /// that gets an old index.
    pub(crate) fn bound_to(&self) -> io::Result<Option<IfIndex>> {
        let address = self.socket.get_ref().local_addr()?;
        if address.len() < length_of_link_address() {
            return Ok(None);
        }
        // SAFETY: the address of a packet socket is a sockaddr_ll, and it is as long as one up to its link address; the
        // storage behind it is larger and aligned for every form of address.
        let link = unsafe { &*address.as_ptr().cast::<libc::sockaddr_ll>() };
        Ok(u32::try_from(link.sll_ifindex).ok().map(IfIndex))
    }

    /// Frames the kernel dropped for lack of room since the last call (`PACKET_STATISTICS`).
    pub(crate) fn take_drops(&self) -> io::Result<u32> {
        let mut statistics = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut length = length_of::<libc::tpacket_stats>();
        // SAFETY: the pointers are to a tpacket_stats and its length, which is what PACKET_STATISTICS fills.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        if result == 0 {
            Ok(statistics.tp_drops)
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

fn kernel_form(filter: &[Instruction]) -> Vec<SockFilter> {
    filter
        .iter()
        .map(|step| SockFilter::new(step.code, step.jump_true, step.jump_false, step.operand))
        .collect()
}

/// `sockaddr_ll` for binding: protocol in network order and interface; the rest is for sending.
fn address(interface: IfIndex, ethertype: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is a socket address form that fits the storage, and an all-zero one is valid.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = u16::try_from(libc::AF_PACKET).expect("AF_PACKET is 17");
    link.sll_protocol = ethertype.to_be();
    link.sll_ifindex = i32::try_from(interface.0).unwrap_or(i32::MAX);
    // SAFETY: the storage holds a sockaddr_ll of that length.
    unsafe { SockAddr::new(storage, length_of::<libc::sockaddr_ll>()) }
}

fn join(socket: &Socket, interface: IfIndex, group: MacAddr) -> io::Result<()> {
    let mut address = [0; 8];
    address[..6].copy_from_slice(&group.0);
    let request = libc::packet_mreq {
        mr_ifindex: i32::try_from(interface.0).unwrap_or(i32::MAX),
        mr_type: u16::try_from(libc::PACKET_MR_MULTICAST).expect("PACKET_MR_MULTICAST is 0"),
        mr_alen: 6,
        mr_address: address,
    };
    set_option(
        socket,
        libc::SOL_PACKET,
        libc::PACKET_ADD_MEMBERSHIP,
        &request,
    )
}

fn set_option<T>(socket: &Socket, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: the pointer is to a value of the length given, and setsockopt only reads it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            length_of::<T>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Length of a sockaddr_ll without its link address, which the kernel leaves out where the device is gone.
fn length_of_link_address() -> libc::socklen_t {
    libc::socklen_t::try_from(std::mem::offset_of!(libc::sockaddr_ll, sll_addr))
        .expect("socket structures are small")
}

fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("socket structures are small")
}

#[cfg(test)]
mod tests;
