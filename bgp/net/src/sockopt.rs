//! Socket options and interface addresses that no safe library offers: TCP-MD5 keys, minimum TTL,
//! `getifaddrs`, datagrams with the TTL they came with, waiting for several sockets. The crate's
//! only unsafe code.
//!
//! Layouts are the kernel's: `include/uapi/linux/tcp.h` for TCP_MD5SIG and TCP_MD5SIG_EXT,
//! `ip(7)` and `ipv6(7)` for the TTL options, `getifaddrs(3)`, `cmsg(3)`, `poll(2)`.

#![expect(
    unsafe_code,
    reason = "setsockopt, getifaddrs, recvmsg and ppoll take and give raw pointers"
)]

use std::ffi::{CStr, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use ipnet::IpNet;

#[cfg(test)]
mod tests;

/// Longest key the kernel takes (TCP_MD5SIG_MAXKEYLEN).
pub(crate) const MD5_KEY_MAX: usize = 80;

const TCP_MD5SIG: c_int = 14;
const TCP_MD5SIG_EXT: c_int = 32;
const TCP_MD5SIG_FLAG_PREFIX: u8 = 1;
const IPV6_MINHOPCOUNT: c_int = 73;

/// `struct tcp_md5sig`.
#[repr(C)]
struct Md5Sig {
    address: libc::sockaddr_storage,
    flags: u8,
    prefix_len: u8,
    key_len: u16,
    ifindex: c_int,
    key: [u8; MD5_KEY_MAX],
}

/// Requires segments from and to `peers` to be signed with `key`; an empty key lifts that.
/// `peers` is a host, or a prefix on a listening socket.
///
/// # Errors
/// The kernel's: no support (`ENOPROTOOPT`), no memory for more keys (`net.core.optmem_max`), or
/// `EINVAL` for a key longer than [`MD5_KEY_MAX`] and `ENOENT` when there was none to lift.
pub(crate) fn set_md5_key(socket: &impl AsFd, peers: IpNet, key: &[u8]) -> io::Result<()> {
    let mut padded = [0; MD5_KEY_MAX];
    padded
        .get_mut(..key.len())
        .ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(key);
    let is_prefix = peers.prefix_len() < peers.max_prefix_len();
    let option = Md5Sig {
        address: storage(peers.network()),
        flags: if is_prefix { TCP_MD5SIG_FLAG_PREFIX } else { 0 },
        prefix_len: peers.prefix_len(),
        key_len: u16::try_from(key.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        ifindex: 0,
        key: padded,
    };
    let name = if is_prefix {
        TCP_MD5SIG_EXT
    } else {
        TCP_MD5SIG
    };
    set(socket, libc::IPPROTO_TCP, name, &option)
}

/// Drops what arrives with a smaller TTL (RFC 5082 §3), from here on.
pub(crate) fn set_min_ttl(socket: &impl AsFd, remote: IpAddr, ttl: u8) -> io::Result<()> {
    let ttl = c_int::from(ttl);
    match remote {
        IpAddr::V4(_) => set(socket, libc::IPPROTO_IP, libc::IP_MINTTL, &ttl),
        IpAddr::V6(_) => set(socket, libc::IPPROTO_IPV6, IPV6_MINHOPCOUNT, &ttl),
    }
}

/// Has the kernel tell of each datagram its TTL, destination and interface: see [`receive`].
pub(crate) fn tell_arrivals(socket: &impl AsFd, local: IpAddr) -> io::Result<()> {
    let on: c_int = 1;
    let (level, names) = match local {
        IpAddr::V4(_) => (libc::IPPROTO_IP, [libc::IP_RECVTTL, libc::IP_PKTINFO]),
        IpAddr::V6(_) => (
            libc::IPPROTO_IPV6,
            [libc::IPV6_RECVHOPLIMIT, libc::IPV6_RECVPKTINFO],
        ),
    };
    for name in names {
        set(socket, level, name, &on)?;
    }
    Ok(())
}

/// What came with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    /// Octets written to the buffer; what did not fit is lost.
    pub(crate) octets: usize,
    pub(crate) from: IpAddr,
    /// Destination address.
    pub(crate) to: Option<IpAddr>,
    /// Index of the interface; 0 when the kernel did not tell.
    pub(crate) interface: u32,
    pub(crate) ttl: Option<u8>,
}

/// The next datagram of a socket prepared by [`tell_arrivals`].
///
/// # Errors
/// The kernel's; `WouldBlock` when there is none, `InvalidData` for a sender without an address.
pub(crate) fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<Datagram> {
    let mut name = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    // Two control messages of at most 40 octets each; u64 for their alignment.
    let mut control = [0_u64; 16];
    let mut vector = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all zeros is a valid `msghdr`: no buffers at all.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_name = name.as_mut_ptr().cast();
    header.msg_namelen = libc::socklen_t::try_from(size_of_val(&name)).expect("it is small");
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control);
    // SAFETY: name, vector, buffer and control are live and exclusively borrowed for the call, and
    // each length is that of its buffer.
    let octets = unsafe {
        libc::recvmsg(
            socket.as_fd().as_raw_fd(),
            &raw mut header,
            libc::MSG_DONTWAIT,
        )
    };
    let octets = usize::try_from(octets).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the storage was zeroed, so it is initialised and its family is 0 where the kernel
    // wrote nothing; it is as large as any socket address.
    let from = unsafe { ip_of(name.as_ptr().cast()) }.ok_or(io::ErrorKind::InvalidData)?;
    let mut datagram = Datagram {
        octets,
        from,
        to: None,
        interface: 0,
        ttl: None,
    };
    // SAFETY: the header describes the control buffer, which the kernel has filled up to the
    // length it has set.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while !next.is_null() {
        // SAFETY: `next` came from CMSG_FIRSTHDR or CMSG_NXTHDR, so it points to a whole control
        // message inside the buffer.
        unsafe {
            note(next, &mut datagram);
            next = libc::CMSG_NXTHDR(&raw const header, next);
        }
    }
    Ok(datagram)
}

/// Takes one control message into `datagram`.
///
/// # Safety
/// `message` must point to a whole control message as the kernel writes them.
unsafe fn note(message: *const libc::cmsghdr, datagram: &mut Datagram) {
    // SAFETY: the caller's promise, for this and the reads below: the kernel writes an int for a
    // TTL and the structures of `ip(7)` and `ipv6(7)` for packet information. Nothing is assumed
    // of their alignment.
    unsafe {
        let body = libc::CMSG_DATA(message);
        match ((*message).cmsg_level, (*message).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                datagram.ttl = u8::try_from(body.cast::<c_int>().read_unaligned()).ok();
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let packet = body.cast::<libc::in_pktinfo>().read_unaligned();
                let to = Ipv4Addr::from(u32::from_be(packet.ipi_addr.s_addr));
                datagram.to = Some(to.into());
                datagram.interface = u32::try_from(packet.ipi_ifindex).unwrap_or(0);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let packet = body.cast::<libc::in6_pktinfo>().read_unaligned();
                datagram.to = Some(Ipv6Addr::from(packet.ipi6_addr.s6_addr).into());
                datagram.interface = packet.ipi6_ifindex;
            }
            _ => {}
        }
    }
}

/// Waits until one of the descriptors can be read, a signal came, or `limit` is over; `None` waits
/// for ever.
pub(crate) fn wait_readable(
    descriptors: &[BorrowedFd<'_>],
    limit: Option<Duration>,
) -> io::Result<()> {
    let poll = |fd: &BorrowedFd<'_>| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polled: Vec<libc::pollfd> = descriptors.iter().map(poll).collect();
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let count = libc::nfds_t::try_from(polled.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the array has `count` live elements, its descriptors are open for the duration of
    // their borrow, the time is null or lives until the call returns, and no mask is given.
    let outcome = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            count,
            limit.as_ref().map_or(ptr::null(), ptr::from_ref),
            ptr::null(),
        )
    };
    if outcome >= 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        error => Err(error),
    }
}

fn set<T>(socket: &impl AsFd, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).expect("options are small");
    // SAFETY: the descriptor is open for the duration of the borrow, and the kernel reads
    // `length` bytes from a live value of exactly that size.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            ptr::from_ref(value).cast(),
            length,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The address, with port 0, as the kernel takes it.
fn storage(address: IpAddr) -> libc::sockaddr_storage {
    let sockaddr = socket2::SockAddr::from(std::net::SocketAddr::new(address, 0));
    let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    // SAFETY: the source is a socket address of `len()` bytes, which is at most the size of the
    // destination, and all zeros is a valid `sockaddr_storage`.
    unsafe {
        ptr::copy_nonoverlapping(
            sockaddr.as_ptr().cast::<u8>(),
            storage.as_mut_ptr().cast::<u8>(),
            usize::try_from(sockaddr.len()).expect("an address is small"),
        );
        storage.assume_init()
    }
}

/// One address of one interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InterfaceAddress {
    /// The interface's name.
    pub(crate) interface: String,
    /// The address with the prefix of its link.
    pub(crate) net: IpNet,
}

/// Every address of every interface of this network namespace.
pub(crate) fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: `first` is a valid place for the pointer that the call stores.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut next = first;
    // SAFETY: `next` is null or an element of the list that `getifaddrs` made, which lives until
    // it is freed below.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: both are null or socket addresses of the size their family says, and live as
        // long as the list does.
        let pair = unsafe { ip_of(entry.ifa_addr).zip(ip_of(entry.ifa_netmask)) };
        if let Some((address, mask)) = pair
            && let Ok(net) = IpNet::with_netmask(address, mask)
        {
            // SAFETY: the name is a nul-terminated string that lives as long as the list does.
            let name = unsafe { CStr::from_ptr(entry.ifa_name) };
            let interface = name.to_string_lossy().into_owned();
            addresses.push(InterfaceAddress { interface, net });
        }
        next = entry.ifa_next;
    }
    // SAFETY: `first` came from `getifaddrs`, is freed once, and no reference into it is left.
    unsafe { libc::freeifaddrs(first) };
    Ok(addresses)
}

/// The IP address in a socket address; `None` for null and for other families.
///
/// # Safety
/// `address` must be null or point to a socket address of the size its family says.
unsafe fn ip_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise; every socket address starts with its family.
    let family = unsafe { address.as_ref() }?.sa_family;
    match c_int::from(family) {
        libc::AF_INET => {
            // SAFETY: the caller's promise; AF_INET means `sockaddr_in`.
            let inet = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(inet.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the caller's promise; AF_INET6 means `sockaddr_in6`.
            let inet = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(inet.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}
