//! Network namespaces, and the three system calls the standard library does not have: `setns`, `kill`, `signal`.
//!
//! Everything else about namespaces goes through iproute2, so that a person who looks on sees the same thing.
//! Knows nothing of labs; whoever makes a namespace removes it.
#![expect(
    unsafe_code,
    reason = "setns, kill and signal have no safe form in std"
)]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};

/// A named network namespace, as `ip netns` knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Netns {
    name: String,
}

impl Netns {
    /// Makes the namespace, with its loopback up.
    pub(crate) fn create(name: &str) -> Result<Self> {
        run(Command::new("ip").args(["netns", "add", name]))?;
        let space = Self {
            name: name.to_owned(),
        };
        space.ip("link set lo up")?;
        Ok(space)
    }

    /// Every namespace on this machine.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let listed = run(Command::new("ip").args(["netns", "list"]))?;
        let names = listed
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        Ok(names
            .map(|name| Self {
                name: name.to_owned(),
            })
            .collect())
    }

    /// Ends every process in the namespace and removes it.
    pub(crate) fn destroy(&self) -> Result<()> {
        for pid in self.pids()? {
            // It may have ended by itself in between.
            signal(pid, Signal::Kill).ok();
        }
        run(Command::new("ip").args(["netns", "del", &self.name])).map(drop)
    }

    fn pids(&self) -> Result<Vec<u32>> {
        let listed = run(Command::new("ip").args(["netns", "pids", &self.name]))?;
        Ok(listed
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .collect())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `ip ARGS` in the namespace; the arguments are split at blanks.
    pub(crate) fn ip(&self, args: &str) -> Result<String> {
        run(Command::new("ip")
            .args(["-n", &self.name])
            .args(args.split_whitespace()))
    }

    /// Many `ip` commands in one process.
    pub(crate) fn ip_batch(&self, lines: &[String]) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name, "-batch", "-"]);
        feed(&mut command, &format!("{}\n", lines.join("\n"))).map(drop)
    }

    /// A command that will run in the namespace.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a program in the namespace and returns what it prints; the line is split at blanks.
    pub(crate) fn run(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command")?;
        run(self.command(program).args(words))
    }

    /// Runs a program in the namespace with `input` on its standard input.
    pub(crate) fn feed(&self, program: &str, args: &[&str], input: &str) -> Result<String> {
        feed(self.command(program).args(args), input)
    }

    /// Sets kernel parameters, named as below /proc/sys.
    pub(crate) fn sysctls(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.inside(|| {
            for (key, value) in settings {
                let path = format!("/proc/sys/{}", key.replace('.', "/"));
                std::fs::write(&path, value).with_context(|| format!("{path} = {value}"))?;
            }
            Ok(())
        })?
    }

    /// Runs `body` on a thread of its own that has moved into the namespace: sockets it opens belong there.
    pub(crate) fn inside<T: Send>(&self, body: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| self.enter().map(|()| body()));
            match thread.join() {
                Ok(entered) => entered,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Moves the calling thread into the namespace, for good.
    pub(crate) fn enter(&self) -> Result<()> {
        let path = format!("/run/netns/{}", self.name);
        let file = File::open(&path).with_context(|| path.clone())?;
        // SAFETY: the descriptor is open for the length of the call; setns changes this thread alone.
        let code = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
        if code == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error()).context(path)
        }
    }
}

/// Runs a command to its end and returns its standard output; its complaints are the error.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| spoken(command))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{}: {}: {}",
            spoken(command),
            output.status,
            complaint.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn feed(command: &mut Command, input: &str) -> Result<String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| spoken(command))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that refuses early closes its input; its exit status says why.
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}\n{input}", spoken(command), complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as a person would type it.
fn spoken(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The signals a lab sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ask to end.
    Term,
    /// End at once.
    Kill,
    /// Stop running, as a machine that hangs.
    Stop,
    /// Go on.
    Continue,
}

/// Sends a signal to one process.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<()> {
    let number = match signal {
        Signal::Term => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
        Signal::Stop => libc::SIGSTOP,
        Signal::Continue => libc::SIGCONT,
    };
    let pid = libc::pid_t::try_from(pid).context("a pid")?;
    // SAFETY: kill takes two integers and touches no memory of ours.
    let code = unsafe { libc::kill(pid, number) };
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error()).context(format!("signal to {pid}"))
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note_interrupt(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// From here on SIGINT and SIGTERM only leave a mark, so that a lab is taken down before the process ends.
pub(crate) fn catch_interrupts() {
    let handler: extern "C" fn(libc::c_int) = note_interrupt;
    for number in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler stores to an atomic and does nothing else, which is allowed in a signal handler.
        unsafe { libc::signal(number, handler as libc::sighandler_t) };
    }
}

/// Whether somebody asked this process to end.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
