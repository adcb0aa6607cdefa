//! `image`: an OCI image of one static program, written as a tar file without any daemon, and read back.
//!
//! `tar` writes archives, `oci` knows what an image consists of, `check` looks at a finished file with other
//! programs' eyes. What is in the image: `/ringbolt` and nothing else, for it opens no file it was not given.

mod check;
mod oci;
mod tar;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::Workspace;
use crate::{Failure, Outcome};
use oci::About;

pub(crate) fn run(args: &[String]) -> Outcome {
    let flags = Flags::parse(args)?;
    let workspace = Workspace::open();
    if let Some(file) = &flags.check {
        check::check(file)?;
        println!(
            "{}: a whole image; its program is static and runs",
            file.display()
        );
        return Ok(());
    }
    let about = About::of(&version(&workspace)?, flags.name.as_deref())?;
    let file = flags.out.unwrap_or_else(|| {
        let name = format!("ringbolt-{}-{}.tar", about.version, about.architecture);
        workspace.root.join("target").join(name)
    });
    write(&workspace, flags.build, &about, &file)
}

/// Builds an image of the development build and checks it: what `cargo xtask test` does.
pub(crate) fn try_out(workspace: &Workspace) -> Outcome {
    let about = About::of(&version(workspace)?, None)?;
    let file = workspace.root.join("target").join("ringbolt-try.tar");
    write(workspace, Build::Dev, &about, &file)?;
    check::check(&file)
}

fn write(workspace: &Workspace, build: Build, about: &About, file: &Path) -> Outcome {
    let program = static_program(workspace, build)?;
    let bytes = fs::read(&program)
        .map_err(|err| Failure::Failed(format!("{}: {err}", program.display())))?;
    let image = oci::image(&bytes, about)?;
    if let Some(folder) = file.parent() {
        // Where cargo builds elsewhere, there is no such folder yet; what is wrong with it shows below.
        fs::create_dir_all(folder).ok();
    }
    fs::write(file, &image).map_err(|err| Failure::Failed(format!("{}: {err}", file.display())))?;
    workspace.caller.hand_over(file);
    let megabytes = image.len() / 1_000_000;
    let (name, architecture) = (&about.name, about.architecture);
    println!(
        "{} written: {name}, linux/{architecture}, {megabytes} MB",
        file.display()
    );
    Ok(())
}

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Build {
    /// As users run it.
    Release,
    /// Quick to build.
    Dev,
}

/// Builds `ringbolt` so that it needs no file of the system it runs on.
fn static_program(workspace: &Workspace, build: Build) -> Result<PathBuf, Failure> {
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    // With a target named, the flag reaches the program alone, and no build script or macro.
    let flag = format!("target.{target}.rustflags=[\"-C\", \"target-feature=+crt-static\"]");
    let mut args = vec!["build", "--locked", "-p", "ringbolt", "--target", &target];
    args.extend(["--config", &flag]);
    if build == Build::Release {
        args.push("--release");
    }
    let artifacts = workspace.artifacts(&args, |message| message["target"]["kind"][0] == "bin")?;
    let found = artifacts
        .into_iter()
        .find(|found| found.package == "ringbolt");
    found
        .map(|found| found.program)
        .ok_or_else(|| Failure::Failed("cargo built no program for `ringbolt`".to_owned()))
}

/// The version of the workspace's packages.
fn version(workspace: &Workspace) -> Result<String, Failure> {
    let metadata = workspace.metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["name"] == "ringbolt" && package["source"].is_null())
        .find_map(|package| package["version"].as_str().map(str::to_owned))
        .ok_or_else(|| Failure::Failed("cargo metadata knows no package `ringbolt`".to_owned()))
}

/// What `image` was given.
#[derive(Debug)]
struct Flags {
    build: Build,
    name: Option<String>,
    out: Option<PathBuf>,
    check: Option<PathBuf>,
}

impl Flags {
    fn parse(args: &[String]) -> Result<Self, Failure> {
        let mut flags = Self {
            build: Build::Release,
            name: None,
            out: None,
            check: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || {
                args.next()
                    .cloned()
                    .ok_or_else(|| Failure::Refused(format!("{arg} needs a value")))
            };
            match arg.as_str() {
                "--dev" => flags.build = Build::Dev,
                "--name" => flags.name = Some(value()?),
                "--out" => flags.out = Some(value()?.into()),
                "--check" => flags.check = Some(value()?.into()),
                other => {
                    return Err(Failure::Refused(format!(
                        "`image` does not know `{other}`; it takes --name, --out, --dev, --check"
                    )));
                }
            }
        }
        Ok(flags)
    }
}

#[cfg(test)]
mod tests;
