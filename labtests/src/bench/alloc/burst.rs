//! Many Services at once: created while the pool is there, and waiting for a pool that comes.
//!
//! Processor time is the controller's and, beside it, that of the bare client, which is this process: of its own
//! writes and of the watch it reads.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::report::{Line, Reference, Target};
use super::client::{Class, Sightings, create, serve_all};
use super::stage::{LIMIT, Stage};
use crate::kubelab::User;

/// What one turn has taken: the time, and the processor time of who served.
#[derive(Debug, Clone, Copy)]
struct Taken {
    time: f64,
    cpu: f64,
}

impl Taken {
    const NEVER: Self = Self {
        time: f64::INFINITY,
        cpu: f64::INFINITY,
    };

    fn best(self, other: Self) -> Self {
        Self {
            time: self.time.min(other.time),
            cpu: self.cpu.min(other.cpu),
        }
    }
}

/// The best of some turns, ours beside the bare client's, for Services that all wait when the pool comes.
pub(super) fn waiting(stage: &mut Stage, count: usize, turns: usize) -> Result<Vec<Line>> {
    let (mut ours, mut bare) = (Taken::NEVER, Taken::NEVER);
    for _ in 0..turns {
        bare = bare.best(wait_and_serve(stage, Class::Bare, count)?);
        ours = ours.best(wait_and_serve(stage, Class::Ours, count)?);
    }
    let case = format!("{count} waiting");
    let both = |ours, bare| (ours, Some(bare));
    Ok(vec![
        // Nine tenths of its rate.
        line(
            &case,
            "time",
            both(ours.time, bare.time),
            Target::Ratio(1.0 / 0.9),
        ),
        each(&case, count, both(ours.cpu, bare.cpu))?,
    ])
}

/// The best of some turns for Services that are created while the pool is there, beside creating as many that
/// nobody serves and, if there is another controller, beside that one.
pub(super) fn created(stage: &mut Stage, count: usize, turns: usize) -> Result<Vec<Line>> {
    let (mut ours, mut bare, mut theirs) = (Taken::NEVER, Taken::NEVER, Taken::NEVER);
    for _ in 0..turns {
        bare = bare.best(create_only(stage, count)?);
        ours = ours.best(create_and_wait(stage, Class::Ours, count)?);
        if stage.other.is_some() {
            theirs = theirs.best(create_and_wait(stage, Class::Other, count)?);
        }
    }
    let case = format!("{count} created");
    let mut lines = vec![line(
        &case,
        "time",
        (ours.time, Some(bare.time)),
        Target::Ratio(1.8),
    )];
    let Some(other) = &stage.other else {
        lines.push(each(&case, count, (ours.cpu, None))?);
        return Ok(lines);
    };
    let beside = [
        line(
            &case,
            "time",
            (ours.time, Some(theirs.time)),
            Target::Ratio(0.5),
        ),
        each(&case, count, (ours.cpu, Some(theirs.cpu)))?,
    ];
    lines.extend(beside.map(|mut line| {
        if let Some(reference) = &mut line.reference {
            reference.name.clone_from(&other.name);
        }
        line
    }));
    Ok(lines)
}

fn line(
    case: &str,
    metric: &'static str,
    (ours, bare): (f64, Option<f64>),
    target: Target,
) -> Line {
    Line {
        case: case.to_owned(),
        metric,
        unit: if metric == "time" { "s" } else { "ms" },
        ours,
        reference: bare.map(|value| Reference {
            value,
            name: "bare client".to_owned(),
        }),
        target,
    }
}

/// Processor time for each Service.
fn each(case: &str, count: usize, (ours, bare): (f64, Option<f64>)) -> Result<Line> {
    let count = f64::from(u32::try_from(count)?);
    let each = |seconds: f64| seconds * 1e3 / count;
    Ok(line(
        case,
        "CPU each",
        (each(ours), bare.map(each)),
        Target::Absolute(0.5),
    ))
}

/// Services that are all there get their addresses.
fn wait_and_serve(stage: &mut Stage, class: Class, count: usize) -> Result<Taken> {
    stage.remove_pool()?;
    let services = stage.services()?;
    let client = stage.plane.client(User::Admin)?;
    let created = stage.plane.run(create(&services, class, 0..count))??;
    let before = stage.settled_cpu(class)?;
    let mut seen = stage.plane.run(Sightings::begin(&services))??;
    let started = Instant::now();
    if class == Class::Ours {
        stage.put_pool()?;
    }
    stage.plane.run(async {
        if class == Class::Bare {
            serve_all(&services, &client, created).await?;
        }
        all_served(&mut seen, count).await
    })??;
    let time = started.elapsed().as_secs_f64();
    let cpu = stage.settled_cpu(class)?.saturating_sub(before);
    drop(seen);
    stage.clear()?;
    let cpu = cpu.as_secs_f64();
    Ok(Taken { time, cpu })
}

/// Services that nobody serves are created, and go again.
fn create_only(stage: &Stage, count: usize) -> Result<Taken> {
    let services = stage.services()?;
    let started = Instant::now();
    stage
        .plane
        .run(create(&services, Class::Bare, 0..count))??;
    let time = started.elapsed().as_secs_f64();
    stage.clear()?;
    Ok(Taken {
        time,
        ..Taken::NEVER
    })
}

/// Services are created while the pool is there; they stay.
pub(super) fn fill(stage: &Stage, class: Class, count: usize) -> Result<Duration> {
    stage.put_pool()?;
    let services = stage.services()?;
    let mut seen = stage.plane.run(Sightings::begin(&services))??;
    let started = Instant::now();
    stage.plane.run(async {
        create(&services, class, 0..count).await?;
        all_served(&mut seen, count).await
    })??;
    Ok(started.elapsed())
}

fn create_and_wait(stage: &mut Stage, class: Class, count: usize) -> Result<Taken> {
    let before = stage.settled_cpu(class)?;
    let time = fill(stage, class, count)?.as_secs_f64();
    let cpu = stage.settled_cpu(class)?.saturating_sub(before);
    stage.clear()?;
    let cpu = cpu.as_secs_f64();
    Ok(Taken { time, cpu })
}

async fn all_served(seen: &mut Sightings, count: usize) -> Result<()> {
    let mut served = BTreeSet::new();
    let all = async {
        while served.len() < count {
            let sighting = seen.next().await?;
            if sighting.address.is_some() {
                served.insert(sighting.name);
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, all)
        .await
        .context("not all are served")?
}
