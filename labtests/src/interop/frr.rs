//! FRR with a neighbour for every line. How it runs is in `crate::frr`.

use std::fmt::Write;

use anyhow::{Context, Result};
use ipnet::IpNet;
use serde_json::Value;

use super::line::{Family, HOLD_S, Line, Reach, THEIR_ASN, THEIR_ID, THEIR_PREFIXES};
use super::{Seen, Setup};
use crate::frr::Frr;
use crate::router::{Router, established};

/// FRR as the matrix wants it.
#[derive(Debug)]
pub(super) struct Lines {
    frr: Frr,
}

impl Lines {
    pub(super) fn start(setup: Setup<'_>) -> Result<Self> {
        let text = configuration(setup.lines);
        let frr = Frr::start_with(setup.space, &text, setup.folder, setup.kept)?;
        Ok(Self { frr })
    }
}

impl super::Daemon for Lines {
    fn version(&self) -> Result<String> {
        self.frr.version()
    }

    fn established(&self, line: &Line) -> Result<()> {
        established(&self.frr, &[line.ours])
    }

    fn route(&self, line: &Line, prefix: IpNet) -> Result<Seen> {
        let family = Family::of(prefix).word();
        let shown = self
            .frr
            .json(&format!("show bgp {family} unicast {prefix} json"))?;
        let from = line.ours.to_string();
        let mut paths = shown["paths"].as_array().into_iter().flatten();
        let path = paths.find(|path| path["peer"]["peerId"] == from.as_str());
        read(path.with_context(|| format!("FRR does not have {prefix}"))?)
    }

    fn ask_again(&mut self, line: &Line) -> Result<()> {
        self.frr
            .vtysh(&format!("clear bgp {} soft in", line.ours))
            .map(drop)
    }

    fn shut(&mut self, line: &Line, reason: &str) -> Result<()> {
        self.frr.configure(&[
            &format!("router bgp {THEIR_ASN}"),
            &format!("neighbor {} shutdown message {reason}", line.ours),
        ])
    }

    fn farewell(&self, line: &Line) -> Result<String> {
        let shown = self
            .frr
            .json(&format!("show bgp neighbors {} json", line.ours))?;
        let words = &shown[line.ours.to_string()]["lastShutdownDescription"];
        Ok(words.as_str().unwrap_or_default().to_owned())
    }

    fn state(&self) -> String {
        self.frr.state()
    }

    fn check_alive(&mut self) -> Result<()> {
        self.frr.check_alive()
    }
}

/// One path of `show bgp … json`.
fn read(path: &Value) -> Result<Seen> {
    let number = |field: &str| {
        let number = path[field].as_u64();
        number.and_then(|number| u32::try_from(number).ok())
    };
    let listed = |field: &str| {
        let all = path[field]["list"].as_array().into_iter().flatten();
        all.filter_map(|one| one.as_str().map(str::to_owned))
            .collect()
    };
    let segments = path["aspath"]["segments"].as_array().into_iter().flatten();
    let numbers = segments.filter_map(|segment| segment["list"].as_array());
    let numbers = numbers.flatten().filter_map(Value::as_u64);
    let mut hops = path["nexthops"].as_array().into_iter().flatten();
    let hop = hops.find(|hop| hop["scope"] != "link-local");
    Ok(Seen {
        next_hop: hop
            .and_then(|hop| hop["ip"].as_str())
            .map(str::parse)
            .transpose()?,
        as_path: numbers.map(u32::try_from).collect::<Result<_, _>>()?,
        med: number("metric"),
        // The spelling of one release, then of others.
        local_pref: number("locPrf").or_else(|| number("localpref")),
        standard: listed("community"),
        large: listed("largeCommunity"),
    })
}

fn configuration(lines: &[Line]) -> String {
    let mut text = format!(
        "log stdout\nip prefix-list own seq 5 permit {}\nipv6 prefix-list own seq 5 permit {}\n\
         router bgp {THEIR_ASN}\n bgp router-id {THEIR_ID}\n no bgp ebgp-requires-policy\n\
         \x20no bgp default ipv4-unicast\n no bgp network import-check\n",
        THEIR_PREFIXES[0], THEIR_PREFIXES[1]
    );
    for line in lines {
        let peer = line.ours;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            " neighbor {peer} remote-as {}\n neighbor {peer} timers {} {HOLD_S}\n neighbor {peer} timers connect 1\n\
             \x20neighbor {peer} update-source {}\n",
            line.our_asn,
            HOLD_S / 3,
            line.theirs
        );
        if let Some(password) = line.password {
            let _ = writeln!(text, " neighbor {peer} password {password}");
        }
        match line.reach {
            Reach::Link => {}
            Reach::Guarded => {
                let _ = writeln!(text, " neighbor {peer} ttl-security hops 1");
            }
            Reach::Routed => {
                let _ = writeln!(text, " neighbor {peer} ebgp-multihop 64");
            }
        }
    }
    for (family, prefix) in [Family::Ipv4, Family::Ipv6].into_iter().zip(THEIR_PREFIXES) {
        let _ = write!(
            text,
            " address-family {} unicast\n  network {prefix}\n",
            family.word()
        );
        for line in lines.iter().filter(|line| line.families.contains(&family)) {
            let peer = line.ours;
            let _ = write!(
                text,
                "  neighbor {peer} activate\n  neighbor {peer} prefix-list own out\n"
            );
        }
        text.push_str(" exit-address-family\n");
    }
    text
}

#[cfg(test)]
mod tests;
