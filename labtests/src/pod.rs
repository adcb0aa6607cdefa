//! A pod of the lab: answers TCP (as a small web server) and UDP with its own name and the client it saw.
//!
//! `labtests pod NAME` runs inside the pod's namespace.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// Where pods listen, TCP and UDP, both families.
pub(crate) const PORT: u16 = 8080;

pub(crate) fn serve(args: &[String]) -> Result<()> {
    let name = args.first().context("pod needs a name")?;
    let tcp = TcpListener::bind(("::", PORT)).context("TCP")?;
    let udp = UdpSocket::bind(("::", PORT)).context("UDP")?;
    thread::scope(|scope| {
        scope.spawn(|| echo(&udp, name));
        for stream in tcp.incoming().flatten() {
            scope.spawn(move || {
                if let Err(error) = answer(stream, name) {
                    eprintln!("{error:#}");
                }
            });
        }
    });
    Ok(())
}

/// The line a client gets: the pod, the client as the pod saw it, and what the client said.
fn reply(name: &str, client: SocketAddr, said: &str) -> String {
    format!(
        "{name} {} {said}\n",
        SocketAddr::new(client.ip().to_canonical(), client.port())
    )
}

fn answer(stream: TcpStream, name: &str) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let client = stream.peer_addr()?;
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().context("no request")??;
    for line in lines.by_ref() {
        if line?.is_empty() {
            break;
        }
    }
    let said = request
        .split_whitespace()
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/')
        .to_owned();
    let body = reply(name, client, &said);
    let length = body.len();
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ";
    (&stream).write_all(format!("{head}{length}\r\n\r\n{body}").as_bytes())?;
    Ok(())
}

fn echo(socket: &UdpSocket, name: &str) {
    let mut buffer = [0_u8; 2048];
    loop {
        // An ICMP error of an earlier answer shows up here; it is nobody's request.
        let Ok((length, client)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let said = String::from_utf8_lossy(&buffer[..length]);
        if let Err(error) = socket.send_to(reply(name, client, said.trim()).as_bytes(), client) {
            eprintln!("to {client}: {error}");
        }
    }
}
