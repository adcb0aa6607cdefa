//! Origination, the job that matters: many host routes appear at once, or one more appears while many are there,
//! and four external peers have to be told. The clock stops when the last of them has everything.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::daemon::{Kind, Subject, version};
use super::report::{Line, Reference, Target};
use super::singles::{self, Singles};
use super::sink::{DAEMON, Range, SINKS, Sink, address, asn, last};
use crate::lab::{Lab, check_interrupted, link};
use crate::netns::Netns;
use crate::node::Ringbolt;
use crate::wait::{holds_for, wait_for};

const KINDS: [Kind; 3] = [Kind::Ringbolt, Kind::Bird, Kind::OpenBgpd];
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 128, 0, 0);
const SIZES: [u32; 2] = [10_000, 100_000];
const LIMIT: Duration = Duration::from_secs(60);
/// What one daemon needed in one round.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    time: f64,
    cpu: f64,
    peak_mib: f64,
}

pub(super) fn run(ringbolt: &Ringbolt, rounds: usize) -> Result<Vec<Line>> {
    let mut outcomes: BTreeMap<(u32, Kind), Vec<Outcome>> = BTreeMap::new();
    let mut singles: BTreeMap<Kind, Singles> = BTreeMap::new();
    for size in SIZES {
        for round in 1..=rounds {
            for kind in KINDS {
                check_interrupted()?;
                let (outcome, more) =
                    measure(kind, ringbolt, size).with_context(|| format!("{kind:?}"))?;
                println!(
                    "bench: {size} routes, round {round}: {kind:?} {:.3} s, {:.3} CPU s, {:.0} MiB",
                    outcome.time, outcome.cpu, outcome.peak_mib
                );
                outcomes.entry((size, kind)).or_default().push(outcome);
                singles.entry(kind).or_default().extend(more);
            }
        }
    }
    let names: BTreeMap<Kind, String> = KINDS
        .into_iter()
        .map(|kind| Ok((kind, version(kind, ringbolt)?)))
        .collect::<Result<_>>()?;
    let mut lines = Vec::new();
    for size in SIZES {
        let best = |kind: Kind, of: fn(&Outcome) -> f64| {
            let all = outcomes.get(&(size, kind)).into_iter().flatten().map(of);
            all.fold(f64::INFINITY, f64::min)
        };
        for reference in [Kind::Bird, Kind::OpenBgpd] {
            let mut line = |metric, unit, of: fn(&Outcome) -> f64, target| {
                lines.push(Line {
                    case: format!("originate-{size}"),
                    metric,
                    unit,
                    ours: best(Kind::Ringbolt, of),
                    reference: Some(Reference {
                        value: best(reference, of),
                        name: names[&reference].clone(),
                    }),
                    target,
                });
            };
            line("time", "s", |outcome| outcome.time, Target::Ratio(0.5));
            line("cpu", "s", |outcome| outcome.cpu, Target::Ratio(0.3));
            line(
                "peak-rss",
                "MiB",
                |outcome| outcome.peak_mib,
                Target::Absolute(40.0),
            );
        }
    }
    lines.extend(single_lines(&singles, &names));
    Ok(lines)
}

/// The rows of single routes: idle beside both references, under churn beside the one that can follow it.
fn single_lines(singles: &BTreeMap<Kind, Singles>, names: &BTreeMap<Kind, String>) -> Vec<Line> {
    type Times = fn(&Singles) -> &Vec<f64>;
    let idle: (&str, Times, f64) = ("one-more-at-100000", |all| &all.idle, 2.0);
    let busy: (&str, Times, f64) = ("one-more-under-churn", |all| &all.busy, 20.0);
    let rows = [
        (idle, Kind::OpenBgpd),
        (idle, Kind::Bird),
        (busy, Kind::OpenBgpd),
    ];
    let line = |((case, times, most), reference): ((&str, Times, f64), Kind), metric, part| {
        let of = |kind: Kind| {
            singles
                .get(&kind)
                .map_or(f64::NAN, |all| percentile(times(all), part))
        };
        Line {
            case: case.to_owned(),
            metric,
            unit: "ms",
            ours: of(Kind::Ringbolt) * 1e3,
            reference: Some(Reference {
                value: of(reference) * 1e3,
                name: names[&reference].clone(),
            }),
            target: Target::Absolute(most),
        }
    };
    rows.into_iter()
        .flat_map(|row| [line(row, "p50", 0.5), line(row, "p99", 0.99)])
        .collect()
}

/// The time that `part` of all are at or below.
pub(super) fn percentile(times: &[f64], part: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let count: f64 = times.iter().map(|_| 1.0).sum();
    let below = times
        .iter()
        .zip(1_u32..)
        .filter(|(_, rank)| f64::from(*rank) < part * count)
        .count();
    times.get(below).copied().unwrap_or(f64::NAN)
}

/// One daemon, from its start to its end. With the largest size it also announces single routes.
fn measure(kind: Kind, ringbolt: &Ringbolt, size: u32) -> Result<(Outcome, Singles)> {
    let mut lab = Lab::new("bench")?;
    let (daemon, load) = (lab.host("daemon")?, lab.host("load")?);
    link(&daemon, "eth0", &load, "eth0")?;
    daemon.ip(&format!("addr add {DAEMON}/24 dev eth0"))?;
    for number in 0..SINKS {
        load.ip(&format!("addr add {}/24 dev eth0", address(number)))?;
    }
    let mut subject = Subject::start(
        kind,
        ringbolt,
        &daemon,
        &lab.folder().join("daemon"),
        lab.kept(),
    )?;
    let sinks = dial_all(&mut subject, &load)?;
    let range = Range {
        first: FIRST,
        count: size,
    };
    subject.prepare(range)?;
    sinks.iter().try_for_each(|sink| sink.expect(range))?;
    let before = settled_cpu(&mut subject)?;
    let started = subject.trigger(&daemon)?;
    let time = last(&sinks)? - started;
    let cpu = settled_cpu(&mut subject)?.saturating_sub(before);
    let mut singles = Singles::default();
    if size == SIZES[1] {
        singles = singles::measure(&subject, &daemon, &sinks)?;
    }
    let kib = u32::try_from(subject.peak_kib()?).unwrap_or(u32::MAX);
    let outcome = Outcome {
        time: time.as_secs_f64(),
        cpu: cpu.as_secs_f64(),
        peak_mib: f64::from(kib) / 1024.0,
    };
    drop(subject);
    lab.succeeded();
    Ok((outcome, singles))
}

/// Brings up a session with every sink; the daemon may need a moment before it listens.
fn dial_all(subject: &mut Subject, load: &Netns) -> Result<Vec<Sink>> {
    let numbers = 0..SINKS;
    numbers
        .map(|number| {
            wait_for("a session", LIMIT, || {
                subject.check_alive()?;
                Sink::dial(load, address(number), asn(number), DAEMON)
            })
        })
        .collect()
}

/// Processor time once the daemon has come to rest: work that trails behind counts too.
fn settled_cpu(subject: &mut Subject) -> Result<Duration> {
    holds_for(
        "the daemon comes to rest",
        Duration::from_millis(300),
        || subject.check_alive(),
    )?;
    subject.cpu()
}

#[cfg(test)]
mod tests;
