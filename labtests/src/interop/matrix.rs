//! One daemon's row of the matrix: every session comes up, what arrived is compared, then each side asks and shuts,
//! and tcpdump reads everything that went over the wires. Prints a line for every cell.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ipnet::IpNet;

use super::cell::{Bar, Cell};
use super::line::{LARGE, Line, MED, OUR_ASN, STANDARD, Way};
use super::site::Site;
use super::{Daemon, Kind, Seen, Setup, require, start};
use crate::capture::Capture;
use crate::node::Ringbolt;
use crate::wait::{holds_for, wait_for};

/// How long a session may take to come up, and anything else to be seen.
const LIMIT: Duration = Duration::from_secs(20);
/// How long routes are watched while nobody announces them: longer than any daemon takes to drop what it will drop.
const KEPT: Duration = Duration::from_secs(1);
/// What the daemon is told to say when it shuts a session.
const THEIR_REASON: &str = "the mooring is being mended";
/// What our speaker says when it ends.
const OUR_REASON: &str = "the speaker ends";

/// Looks at every cell of one daemon.
pub(crate) fn run(kind: Kind, ringbolt: &Ringbolt) -> Result<()> {
    require(kind)?;
    Capture::require()?;
    let lines: Vec<Line> = Line::all()
        .into_iter()
        .filter(|line| match line.way {
            Way::Shows(cell) => cell.bar(kind).is_none(),
            Way::TooFar => Cell::Gtsm.bar(kind).is_none(),
        })
        .collect();
    let name = format!("interop-{}", kind.name().to_lowercase());
    let mut site = Site::build(&name, &lines, ringbolt)?;
    let capture = Capture::start(
        &site.machine,
        "any",
        "tcp port 179",
        site.lab.folder(),
        site.lab.kept(),
    )?;
    let mut daemon = start(
        kind,
        Setup {
            space: &site.machine,
            lines: &lines,
            folder: site.lab.folder(),
            kept: site.lab.kept(),
        },
    )?;
    let version = daemon.version()?;
    let mut row = Row {
        kind,
        daemon: daemon.as_mut(),
        site: &mut site,
        lines: &lines,
        capture: &capture,
        found: BTreeMap::new(),
    };
    row.look();
    let found = row.found;
    let alive = daemon.check_alive();
    let state = daemon.state();
    let decoded = capture.finish()?;
    let clean = decoded.check_clean();
    print(&version, kind, &found);
    match verdict(found).and(alive).and(clean) {
        Ok(()) => {
            drop(daemon);
            site.lab.succeeded();
            Ok(())
        }
        Err(error) => {
            fs::write(site.lab.folder().join("daemon.txt"), state)?;
            fs::write(site.lab.folder().join("wire.txt"), decoded.text())?;
            let folder = site.lab.folder().display().to_string();
            Err(error.context(format!("logs and state: {folder}")))
        }
    }
}

/// A daemon, our speaker, and what has been found of them.
struct Row<'a> {
    kind: Kind,
    daemon: &'a mut dyn Daemon,
    site: &'a mut Site,
    lines: &'a [Line],
    capture: &'a Capture,
    found: BTreeMap<Cell, Result<()>>,
}

impl Row<'_> {
    fn look(&mut self) {
        for line in self.lines {
            if let Way::Shows(cell) = line.way {
                let outcome = self.comes_up(line).and_then(|()| self.carries(line));
                self.found.insert(cell, outcome);
            }
        }
        if let Some(line) = self.lines.iter().find(|line| line.way == Way::TooFar) {
            let outcome = self.stays_away(line);
            let guarded = self.found.remove(&Cell::Gtsm).unwrap_or(Ok(()));
            self.found.insert(Cell::Gtsm, guarded.and(outcome));
        }
        let first = self.lines.iter().find(|line| line.is_for(Cell::Ipv4));
        let second = self.lines.iter().find(|line| line.is_for(Cell::DualFamily));
        let (Some(first), Some(second)) = (first, second) else {
            return;
        };
        let (standard, large) = self.communities(first);
        self.found.insert(Cell::Standard, standard);
        self.found.insert(Cell::Large, large);
        // The order matters: who has shut a session is asked nothing more on it, and our own end is the end of all.
        self.step(Cell::DualFamilyBack, |row| row.brings_both(second));
        self.step(Cell::RefreshForThem, |row| row.is_told_again(first));
        if let Some(line) = self
            .lines
            .iter()
            .find(|line| line.is_for(Cell::GracefulRestart))
        {
            self.step(Cell::GracefulRestart, |row| row.helps(line, first));
            // What follows needs its sessions back.
            for line in [first, second] {
                if let (Way::Shows(cell), Err(error)) = (line.way, self.comes_up(line)) {
                    self.found.insert(cell, Err(error));
                }
            }
        }
        self.step(Cell::ReasonReceived, |row| row.gives_its_reason(second));
        self.step(Cell::ReasonSent, |row| row.hears_our_reason(first));
    }

    fn step(&mut self, cell: Cell, look: impl FnOnce(&mut Self) -> Result<()>) {
        if cell.bar(self.kind).is_none() {
            let outcome = look(self);
            self.found.insert(cell, outcome);
        }
    }

    fn comes_up(&mut self, line: &Line) -> Result<()> {
        wait_for(&format!("{} is up", line.name()), LIMIT, || {
            self.site.speaker.check_alive()?;
            self.daemon.check_alive()?;
            self.site.has_learned(line, &[line.carrier()])?;
            self.daemon.established(line)
        })
    }

    /// Everything that the session brings is what we sent, attribute by attribute.
    fn carries(&mut self, line: &Line) -> Result<()> {
        for prefix in line.prefixes() {
            let wanted = wanted(line, prefix);
            wait_for(&format!("{prefix} arrives"), LIMIT, || {
                let seen = self.daemon.route(line, prefix)?;
                let same = Seen {
                    // The daemons give a preference of their own to what came from outside.
                    local_pref: seen.local_pref.filter(|_| line.is_internal()),
                    standard: wanted.standard.clone(),
                    large: wanted.large.clone(),
                    ..seen.clone()
                };
                ensure!(same == wanted, "it has {seen:?}, sent was {wanted:?}");
                Ok(())
            })?;
        }
        Ok(())
    }

    fn brings_both(&mut self, line: &Line) -> Result<()> {
        wait_for("it brings both families", LIMIT, || {
            self.site.has_learned(line, line.families)
        })
    }

    fn communities(&mut self, line: &Line) -> (Result<()>, Result<()>) {
        let [prefix] = line.prefixes()[..] else {
            return (Err(anyhow!("the line has one prefix")), Ok(()));
        };
        let seen = match self.daemon.route(line, prefix) {
            Ok(seen) => seen,
            Err(error) => return (Err(error), Err(anyhow!("no route"))),
        };
        let wanted = wanted(line, prefix);
        let compare = |seen, wanted| {
            ensure!(seen == wanted, "it has {seen:?}, sent was {wanted:?}");
            Ok(())
        };
        (
            compare(seen.standard, wanted.standard),
            compare(seen.large, wanted.large),
        )
    }

    /// By now every other session has been up for a while, and the dialler has tried this one too.
    fn stays_away(&mut self, line: &Line) -> Result<()> {
        let peer = self.site.peer(line)?;
        ensure!(
            peer["state"] != "Established" && peer["flaps"] == 0,
            "a neighbour behind a router was taken for one on the wire: {peer}"
        );
        Ok(())
    }

    fn is_told_again(&mut self, line: &Line) -> Result<()> {
        self.daemon.ask_again(line)?;
        let [prefix] = line.prefixes()[..] else {
            bail!("the line has one prefix")
        };
        wait_for("the routes are told again", LIMIT, || {
            let text = self.capture.so_far()?;
            let (_, after) = text
                .split_once("Route Refresh Message")
                .context("it has not asked")?;
            ensure!(
                after.contains("Update Message") && after.contains(&prefix.to_string()),
                "asked, and not told"
            );
            self.daemon.route(line, prefix).map(drop)
        })?;
        self.daemon.established(line)
    }

    /// Our speaker is killed: its routes stay until it is back, but those of a session that did not agree on it.
    fn helps(&mut self, line: &Line, plain: &Line) -> Result<()> {
        self.site.kill_speaker()?;
        wait_for("it notices", LIMIT, || {
            let session = self.daemon.established(line);
            ensure!(session.is_err(), "it has not noticed");
            Ok(())
        })?;
        wait_for("it drops what is not to be kept", LIMIT, || {
            self.carries_now(line)?;
            ensure!(self.carries_now(plain).is_err(), "it keeps everything");
            Ok(())
        })?;
        holds_for("it keeps our routes", KEPT, || self.carries_now(line))?;
        self.site.start_speaker()?;
        self.comes_up(line)?;
        self.carries(line)
    }

    fn carries_now(&self, line: &Line) -> Result<()> {
        let mut prefixes = line.prefixes().into_iter();
        prefixes.try_for_each(|prefix| self.daemon.route(line, prefix).map(drop))
    }

    fn gives_its_reason(&mut self, line: &Line) -> Result<()> {
        self.daemon.shut(line, THEIR_REASON)?;
        wait_for("we show why it has shut the session", LIMIT, || {
            let log = fs::read_to_string(self.site.speaker.log())?;
            let mut lines = log.lines();
            let peer = format!("peer={}", line.name());
            let said = lines.any(|text| text.contains(&peer) && text.contains(THEIR_REASON));
            ensure!(said, "not in our log");
            Ok(())
        })
    }

    fn hears_our_reason(&mut self, line: &Line) -> Result<()> {
        self.site.speaker.terminate(LIMIT)?;
        wait_for("it shows why we have gone", LIMIT, || {
            let farewell = self.daemon.farewell(line)?;
            ensure!(farewell.contains(OUR_REASON), "it shows: {farewell}");
            Ok(())
        })
    }
}

/// What a daemon should hold of a prefix.
fn wanted(line: &Line, prefix: IpNet) -> Seen {
    let internal = line.is_internal();
    Seen {
        next_hop: Some(line.next_hop(prefix)),
        as_path: if internal { Vec::new() } else { vec![OUR_ASN] },
        med: Some(MED),
        local_pref: internal.then_some(100),
        standard: [STANDARD.to_owned()].into(),
        large: [LARGE.to_owned()].into(),
    }
}

fn print(version: &str, kind: Kind, found: &BTreeMap<Cell, Result<()>>) {
    println!("        {version}");
    for cell in Cell::ALL {
        let word = match (cell.bar(kind), found.get(cell)) {
            (Some(Bar::Theirs(limit)), _) => format!("its limit: {limit}"),
            (Some(Bar::Ours), _) => "not served yet".to_owned(),
            (None, Some(Ok(()))) => "passes".to_owned(),
            (None, Some(Err(error))) => format!("FAILS: {error:#}"),
            (None, None) => "FAILS: it was not looked at".to_owned(),
        };
        println!("          {:<38} {word}", cell.title());
    }
}

/// Every cell that is open has been looked at, and is well.
fn verdict(found: BTreeMap<Cell, Result<()>>) -> Result<()> {
    for (cell, outcome) in found {
        outcome.with_context(|| cell.title().to_owned())?;
    }
    Ok(())
}
