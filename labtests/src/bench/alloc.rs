//! What it costs to give Services their addresses, beside a bare client that does the same two writes: it creates a
//! claim and patches a status, and decides nothing.
//!
//! Both work on the same API server, in turns, with as many requests under way. The clock is the API server's: a
//! Service is served when the watch of this process shows its address.

mod burst;
mod client;
mod route;
mod stage;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use kube::Client;
use kube::api::{Api, DynamicObject, PostParams};

use super::originate::percentile;
use super::report::{Line, Reference, Target, Told};
use super::usage;
use crate::kubelab::{Assets, User};
use crate::node::Ringbolt;
use crate::progress::say;
use client::{Class, Sightings};
use stage::Stage;

/// Single Services, one after the other.
const SINGLES: usize = 200;
/// Services at once: so many turns are taken, at most, with so many.
const BURSTS: [(usize, usize); 2] = [(1_000, 3), (MOST, 1)];
const MOST: usize = 10_000;
const CREATED: [(usize, usize); 2] = [(1_000, 3), (5_000, 1)];

pub(super) fn run(
    ringbolt: &Ringbolt,
    assets: &Assets,
    rounds: usize,
    other: Option<&Path>,
) -> Result<Told> {
    let mut stage = Stage::new(ringbolt, assets, other)?;
    let mut told = Told::default();
    say("single Services, one after the other");
    told.take(singles(&stage, rounds));
    for (count, turns) in CREATED {
        say(&format!("{count} Services created at once"));
        let lines = burst::created(&mut stage, count, turns.min(rounds));
        told.take(lines.and_then(|lines| with_memory(&stage, count, lines)));
    }
    told.take(route::measure(&mut stage, ringbolt));
    stage.clear()?;
    for (count, turns) in BURSTS {
        say(&format!("{count} Services wait for a pool"));
        let lines = burst::waiting(&mut stage, count, turns.min(rounds));
        // The peak after fewer is that of a case before.
        told.take(match count {
            MOST => lines.and_then(|lines| with_memory(&stage, count, lines)),
            _ => lines,
        });
    }
    if told.missing == 0 {
        stage.plane.succeeded();
    }
    Ok(told)
}

/// And the controller's memory after it has held so many.
fn with_memory(stage: &Stage, count: usize, mut lines: Vec<Line>) -> Result<Vec<Line>> {
    let peak = usage::peak_kib(&stage.pids(Class::Ours))?;
    let mut line = route::memory(&format!("controller, {count} held"), peak)?;
    if let Some(other) = &stage.other {
        let theirs = usage::peak_kib(&stage.pids(Class::Other))?;
        line.reference = Some(Reference {
            value: f64::from(u32::try_from(theirs)?) / 1024.0,
            name: other.name.clone(),
        });
    }
    lines.push(line);
    Ok(lines)
}

/// From sending the create to seeing the address.
fn singles(stage: &Stage, rounds: usize) -> Result<Vec<Line>> {
    stage.put_pool()?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (class, times) in [(Class::Ours, &mut ours), (Class::Bare, &mut bare)] {
            let services = stage.services()?;
            let client = stage.plane.client(User::Admin)?;
            let work = one_by_one(&services, &client, class);
            times.extend(stage.plane.run(work)??);
            stage.clear()?;
        }
    }
    let line = |(metric, part)| Line {
        case: "created -> address".to_owned(),
        metric,
        unit: "ms",
        ours: percentile(&ours, part) * 1e3,
        reference: Some(Reference {
            value: percentile(&bare, part) * 1e3,
            name: "bare client".to_owned(),
        }),
        target: Target::Ratio(1.2),
    };
    Ok([("p50", 0.5), ("p99", 0.99)].map(line).to_vec())
}

/// Seconds, for each of some Services.
async fn one_by_one(
    services: &Api<DynamicObject>,
    client: &Client,
    class: Class,
) -> Result<Vec<f64>> {
    let mut seen = Sightings::begin(services).await?;
    let mut times = Vec::with_capacity(SINGLES);
    for number in 0..SINGLES {
        let name = client::name(number);
        let service = client::service(class, number)?;
        let started = Instant::now();
        let created = services.create(&PostParams::default(), &service).await?;
        if class == Class::Bare {
            // It goes by what it is told, too.
            while seen.next().await?.name != name {}
            client::serve(services, client, &created, client::address(number)).await?;
        }
        loop {
            let sighting = seen.next().await?;
            if sighting.name == name && sighting.address.is_some() {
                times.push((sighting.at - started).as_secs_f64());
                break;
            }
        }
    }
    Ok(times)
}
