//! How processes of one control plane are started and how long they live.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::netns::Netns;
use crate::process::{Daemon, Kept};

/// Whether a plane may outlive the process that made it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// However this process ends, everything is killed with it.
    #[default]
    OfThisProcess,
    /// It may be kept.
    MayStay,
}

/// What all processes of a plane share.
#[derive(Debug, Clone)]
pub(super) struct Processes {
    pub(super) space: Netns,
    pub(super) folder: PathBuf,
    pub(super) kept: Kept,
    pub(super) lifetime: Lifetime,
}

impl Processes {
    /// A command in the plane's namespace.
    pub(super) fn command(&self, program: &Path) -> Command {
        self.command_in(&self.space, program)
    }

    /// A command in a namespace. Unless the plane may stay, the kernel kills it with the thread that starts it, so
    /// that has to be one that lives as long as the plane.
    pub(super) fn command_in(&self, space: &Netns, program: &Path) -> Command {
        match self.lifetime {
            Lifetime::MayStay => space.command(program),
            Lifetime::OfThisProcess => {
                let mut command = space.command("setpriv");
                command.args(["--pdeathsig", "KILL"]).arg(program);
                command
            }
        }
    }

    /// Starts a command; its log is NAME.log in the plane's folder.
    pub(super) fn start(&self, name: &str, command: &mut Command) -> Result<Daemon> {
        Daemon::start(name, command, &self.folder, &self.kept)
    }
}
