//! The Go toolchain: where it is, which version, and how to run it as the calling person.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::caller::Caller;

/// Where Go installs itself by its own instructions; sudo's PATH seldom has it.
const FOLDERS: &[&str] = &["/usr/local/go/bin", "/usr/lib/go/bin"];

/// The oldest Go that can fetch a newer one by itself.
const SELF_UPDATING: (u32, u32) = (1, 21);

/// A usable Go.
#[derive(Debug)]
pub(super) struct Go<'a> {
    program: PathBuf,
    caller: &'a Caller,
    sources: &'a Path,
    /// What the build will be made with.
    pub(super) version: String,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoGo {
    Missing,
    /// Too old, and unable to fetch another.
    Old(String),
    /// Its own words.
    Broken(String),
}

impl<'a> Go<'a> {
    /// Finds Go for the module in `sources`.
    pub(super) fn find(caller: &'a Caller, sources: &'a Path) -> Result<Self, NoGo> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from));
        let programs = folders.map(|folder| folder.join("go"));
        let mut why = NoGo::Missing;
        for program in programs.filter(|program| program.is_file()) {
            let mut go = Self {
                program,
                caller,
                sources,
                version: String::new(),
            };
            match go.tell_version() {
                Ok(version) => {
                    go.version = version;
                    return Ok(go);
                }
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    /// The version that a build in the module will be made with.
    fn tell_version(&self) -> Result<String, NoGo> {
        // Outside the module, so that it tells its own version and fetches no other.
        let mut own = self.command(&["env", "GOVERSION"]);
        let own = answer(own.env("GOTOOLCHAIN", "local").current_dir("/"))?;
        match parse(&own) {
            Some(version) if version < SELF_UPDATING => Err(NoGo::Old(own)),
            Some(_) => answer(&mut self.command(&["env", "GOVERSION"])),
            None => Err(NoGo::Broken(own)),
        }
    }

    /// `go ARGS` in the module, as the calling person. It fetches the toolchain that the module asks for.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(self.sources)
            .env("GOTOOLCHAIN", "auto")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", "0")
            .stdin(Stdio::null());
        self.caller.run_as_person(&mut command);
        command
    }
}

/// What a command prints, or its complaint.
pub(super) fn answer(command: &mut Command) -> Result<String, NoGo> {
    let output = command
        .output()
        .map_err(|error| NoGo::Broken(error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(NoGo::Broken(text(&output.stderr)))
    }
}

/// `go1.26.8` → (1, 26).
pub(super) fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("go")?.split(['.', 'r', 'b', '-', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
