//! Who is at the other end of a connection: the user that owns the socket there, if it is on this machine.
//!
//! The kernel knows that. It is asked for the one socket by its addresses (sock_diag(7)) and, if it does not answer
//! that, for its list of all (proc(5)).

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

/// States of a socket that is connected, its own end perhaps shut for writing or reading: ESTABLISHED, FIN_WAIT1,
/// FIN_WAIT2, CLOSE_WAIT (`net/tcp_states.h`). One that still connects is not the one that was accepted here.
const CONNECTED: [u8; 4] = [1, 4, 5, 8];
/// Of `linux/netlink.h` and `linux/sock_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
/// `struct nlmsghdr`.
const HEAD_BYTES: usize = 16;
/// That and `struct inet_diag_req_v2`.
const REQUEST_BYTES: u32 = 72;
/// All users that a user namespace does not know are shown as this one (user_namespaces(7)).
const OVERFLOW: u32 = 65534;
const WAIT: Duration = Duration::from_secs(1);

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Who owns its socket, if that is on this machine and the kernel tells.
    pub uid: Option<u32>,
    /// The address at which it reached this server.
    pub here: SocketAddr,
}

impl Peer {
    /// Looks for whoever is connected to this socket.
    ///
    /// Fails if it is connected no more.
    pub fn find(socket: &TcpStream) -> std::io::Result<Self> {
        let (there, here) = (canonical(socket.peer_addr()?), canonical(socket.local_addr()?));
        let uid = uid(there, here);
        // If it is still connected, its addresses were nobody else's in the meantime.
        socket.peer_addr()?;
        Ok(Self { uid, here })
    }
}

/// IPv4 addresses may come as IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn uid(there: SocketAddr, here: SocketAddr) -> Option<u32> {
    // From another address comes another machine.
    if !there.ip().is_loopback() && there.ip() != here.ip() {
        return None;
    }
    let found = diagnosed(there, here).ok().flatten().or_else(|| listed(there, here));
    found.filter(|uid| {
        *uid != OVERFLOW || std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| knows_all(&map))
    })
}

/// Whether a user namespace with this map knows every user, so that none is shown as another one.
fn knows_all(map: &str) -> bool {
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

/// What the kernel says of the socket with these addresses.
fn diagnosed(there: SocketAddr, here: SocketAddr) -> std::io::Result<Option<u32>> {
    let kind = (Domain::from(libc::AF_NETLINK), Type::RAW, Protocol::from(libc::NETLINK_SOCK_DIAG));
    let socket = Socket::new(kind.0, kind.1, Some(kind.2))?;
    socket.set_read_timeout(Some(WAIT))?;
    let sought = identity(there, here);
    let family = if there.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut request = REQUEST_BYTES.to_ne_bytes().to_vec();
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family, libc::IPPROTO_TCP, 0, 0].map(|number| u8::try_from(number).unwrap_or_default()));
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(sought);
    // No interface, and no cookie.
    request.extend([0; 4]);
    request.extend([0xff; 8]);
    (&socket).write_all(&request)?;
    let mut answer = [0; 512];
    let length = (&socket).read(&mut answer)?;
    // A client that has a socket of IPv6 is told of with addresses of that.
    let sought = [sought, identity(mapped(there), mapped(here))];
    Ok(answer.get(..length).and_then(|answer| owner(answer, &sought)))
}

/// Ports and addresses as `struct inet_diag_sockid` has them.
fn identity(source: SocketAddr, destination: SocketAddr) -> [u8; 36] {
    let mut identity = [0; 36];
    let put = |place: &mut [u8], bytes: &[u8]| place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    put(&mut identity[..2], &source.port().to_be_bytes());
    put(&mut identity[2..4], &destination.port().to_be_bytes());
    for (place, address) in [(4, source), (20, destination)] {
        match address.ip() {
            IpAddr::V4(ip) => put(&mut identity[place..], &ip.octets()),
            IpAddr::V6(ip) => put(&mut identity[place..], &ip.octets()),
        }
    }
    identity
}

/// The owner in an answer, a `struct inet_diag_msg` after its head. A socket without an inode has none any more: its
/// user id is then 0, and not root's.
fn owner(answer: &[u8], sought: &[[u8; 36]]) -> Option<u32> {
    let (head, message) = answer.split_at_checked(HEAD_BYTES)?;
    let number = |place: usize| Some(u32::from_ne_bytes(*message.get(place..)?.first_chunk()?));
    let is_found = u16::from_ne_bytes(*head.get(4..)?.first_chunk()?) == SOCK_DIAG_BY_FAMILY;
    let identity = message.get(4..40)?;
    let is_it = sought.iter().any(|sought| sought == identity) && CONNECTED.contains(message.get(1)?);
    (is_found && is_it && number(68)? != 0).then(|| number(64)).flatten()
}

/// What the kernel's lists say of the socket with these addresses.
fn listed(there: SocketAddr, here: SocketAddr) -> Option<u32> {
    let (there_mapped, here_mapped) = (mapped(there), mapped(here));
    let v4 = there.is_ipv4().then(|| row("/proc/net/tcp", there, here)).flatten();
    v4.or_else(|| row("/proc/net/tcp6", there_mapped, here_mapped))
}

fn mapped(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    SocketAddr::new(ip.into(), address.port())
}

fn row(list: &str, there: SocketAddr, here: SocketAddr) -> Option<u32> {
    let list = std::fs::read_to_string(list).ok()?;
    let sought = (hexadecimal(there), hexadecimal(here));
    list.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = columns.get(1..3)? == [&sought.0, &sought.1];
        let state = u8::from_str_radix(columns.get(3)?, 16).ok()?;
        let (uid, inode) = (columns.get(7)?, columns.get(9)?);
        (is_it && CONNECTED.contains(&state) && *inode != "0").then(|| uid.parse().ok()).flatten()
    })
}

/// An address as the lists have it: words in the machine's order of bytes.
fn hexadecimal(address: SocketAddr) -> String {
    let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
    let ip = match address.ip() {
        IpAddr::V4(ip) => word(ip.octets()),
        IpAddr::V6(ip) => words(ip).map(word).concat(),
    };
    format!("{ip}:{:04X}", address.port())
}

fn words(ip: Ipv6Addr) -> [[u8; 4]; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = ip.octets();
    [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;

    /// A connection, its client first.
    fn connect(listen: &str, to: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(listen).unwrap();
        let client = TcpStream::connect((to, listener.local_addr().unwrap().port())).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn found(server: &TcpStream) -> [Option<u32>; 3] {
        let (there, here) = (canonical(server.peer_addr().unwrap()), canonical(server.local_addr().unwrap()));
        [uid(there, here), diagnosed(there, here).unwrap(), listed(there, here)]
    }

    #[test]
    fn a_client_of_this_machine_is_told_by_its_socket() {
        let me = Some(nix::unistd::geteuid().as_raw());
        for (listen, to) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.3"),
            ("[::1]:0", "::1"),
            ("127.0.0.1:0", "::ffff:127.0.0.1"),
            ("[::]:0", "127.0.0.1"),
        ] {
            let (client, server) = connect(listen, to);
            assert_eq!(found(&server), [me; 3], "{to} at {listen}");
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(found(&server), [me; 3], "half closed, {to} at {listen}");
        }
    }

    #[test]
    fn a_socket_that_nobody_owns_any_more_is_not_root_s() {
        let (client, server) = connect("127.0.0.1:0", "127.0.0.1");
        drop(client);
        assert_eq!(found(&server), [None; 3], "an orphan");
        let (there, here) = (server.peer_addr().unwrap(), server.local_addr().unwrap());
        drop(server);
        let both = (diagnosed(there, here).unwrap(), listed(there, here));
        assert_eq!(both, (None, None), "TIME_WAIT");
    }

    #[test]
    fn users_are_told_apart_where_the_namespace_knows_them_all() {
        assert!(knows_all("         0          0 4294967295\n"));
        assert!(!knows_all("         0       1000          1\n"));
        assert!(!knows_all("         0       1000          1\n         1     100000      65536\n"));
        assert!(!knows_all(""));
    }

    #[test]
    fn another_machine_is_a_stranger_whatever_the_lists_say() {
        assert_eq!(uid(([192, 0, 2, 1], 1000).into(), ([192, 0, 2, 2], 5050).into()), None);
    }
}
