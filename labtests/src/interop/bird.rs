//! BIRD with a protocol for every line. How it runs is in `crate::bird`.

use std::fmt::Write;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;

use super::cell::Cell;
use super::line::{HOLD_S, Line, Reach, THEIR_ASN, THEIR_ID, THEIR_PREFIXES};
use super::{Seen, Setup};
use crate::bird::Bird;
use crate::router::{Router, established};

/// BIRD as the matrix wants it.
#[derive(Debug)]
pub(super) struct Lines {
    bird: Bird,
}

impl Lines {
    pub(super) fn start(setup: Setup<'_>) -> Result<Self> {
        let text = configuration(setup.lines);
        let bird = Bird::start_with(setup.space, "bird", &text, setup.folder, setup.kept)?;
        Ok(Self { bird })
    }
}

impl super::Daemon for Lines {
    fn version(&self) -> Result<String> {
        self.bird.version()
    }

    fn established(&self, line: &Line) -> Result<()> {
        established(&self.bird, &[line.ours])
    }

    fn route(&self, line: &Line, prefix: IpNet) -> Result<Seen> {
        let text = self
            .bird
            .birdc(&format!("show route {prefix} protocol {} all", line.name()))?;
        ensure!(
            text.contains(&prefix.to_string()),
            "BIRD does not have {prefix}"
        );
        read(&text)
    }

    fn ask_again(&mut self, line: &Line) -> Result<()> {
        self.bird
            .birdc(&format!("reload in {}", line.name()))
            .map(drop)
    }

    fn shut(&mut self, line: &Line, reason: &str) -> Result<()> {
        self.bird
            .birdc(&format!("disable {} \"{reason}\"", line.name()))
            .map(drop)
    }

    fn farewell(&self, line: &Line) -> Result<String> {
        self.bird
            .birdc(&format!("show protocols all {}", line.name()))
    }

    fn state(&self) -> String {
        self.bird.state()
    }

    fn check_alive(&mut self) -> Result<()> {
        self.bird.check_alive()
    }
}

/// The attributes in `show route … all`.
fn read(text: &str) -> Result<Seen> {
    let mut seen = Seen::default();
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name {
            "BGP.as_path" => {
                let numbers = value.split_whitespace().map(str::parse);
                seen.as_path = numbers.collect::<Result<_, _>>().context("AS_PATH")?;
            }
            "BGP.next_hop" => {
                let first = value.split_whitespace().next();
                seen.next_hop = first.map(str::parse::<IpAddr>).transpose()?;
            }
            "BGP.med" => seen.med = Some(value.parse()?),
            "BGP.local_pref" => seen.local_pref = Some(value.parse()?),
            "BGP.community" => seen.standard = tuples(value).collect(),
            "BGP.large_community" => seen.large = tuples(value).collect(),
            _ => {}
        }
    }
    Ok(seen)
}

/// `(65010,7) (65010, 8)`, with colons in place of commas.
fn tuples(text: &str) -> impl Iterator<Item = String> {
    text.split('(')
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .map(|inside| inside.replace(' ', "").replace(',', ":"))
}

fn configuration(lines: &[Line]) -> String {
    let [v4, v6] = THEIR_PREFIXES;
    let mut text = format!(
        "log stderr all;\nrouter id {THEIR_ID};\nprotocol device {{ }}\n\
         protocol static {{ ipv4; route {v4} blackhole; }}\nprotocol static {{ ipv6; route {v6} blackhole; }}\n"
    );
    for line in lines {
        // Without the capability it takes no number beyond two octets for a neighbour's, and yet reads ours.
        let remote = if line.is_for(Cell::TwoOctetAs) {
            "external".to_owned()
        } else {
            format!("as {}", line.our_asn)
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "protocol bgp {} {{\n local {} as {THEIR_ASN};\n neighbor {} {remote};\n hold time {HOLD_S};\n\
             \x20connect retry time 1; connect delay time 1; error wait time 1, 2;\n",
            line.name(),
            line.theirs,
            line.ours,
        );
        if line.is_for(Cell::TwoOctetAs) {
            text.push_str(" enable as4 off;\n");
        }
        if let Some(password) = line.password {
            let _ = writeln!(text, " password \"{password}\";");
        }
        text.push_str(match line.reach {
            Reach::Link => "",
            Reach::Guarded => " ttl security on;\n",
            Reach::Routed => " multihop;\n",
        });
        for family in line.families {
            let _ = writeln!(
                text,
                " {} {{ import all; export where source = RTS_STATIC; }};",
                family.word()
            );
        }
        text.push_str("}\n");
    }
    text
}

#[cfg(test)]
mod tests;
