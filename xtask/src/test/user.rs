//! The step that tries what an ordinary user is promised, as root runs it: a user of its own runs the demo and some
//! labs in a user namespace, and the demo once more where such namespaces are refused: by this machine, or by a
//! namespace that is made to.
//!
//! The user is a number without a name, rights or home; it reads copies of the programs in a folder of its own.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::programs;
use super::tally::Tally;
use crate::ground::Ground;
use crate::workspace::{Profile, Workspace};

/// A uid and gid that nobody has.
const NOBODY: u32 = 54_321;
/// Administrators' programs are not on an ordinary user's.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Labs that use BIRD and capabilities, and those of FRR and tcpdump, which are to be skipped by name.
const SCENARIOS: &[&str] = &[
    "the_lab_itself_carries_traffic_through_bird",
    "the_lab_itself_carries_traffic_through_frr",
    "bird_sees_the_attributes_of_an_advertisement",
    "bird_and_a_password_that_is_set_while_running",
    "tcpdump_reads_every_bgp_message_without_complaint",
    "a_peer_that_is_added_leaves_other_sessions_alone",
    "speakers_without_net_raw_serve_routes_and_name_what_is_missing",
    "hostile_manifests_change_nothing",
];

/// Runs the step. Without the programs it stands on, it is a counted skip.
pub(super) fn run(workspace: &Workspace) -> Tally {
    match Stage::new(workspace) {
        Ok(stage) => {
            let told = said(stage.ground());
            let mut tally = stage.in_a_namespace(&told);
            tally += stage.refused(&told);
            tally
        }
        Err(error) => {
            println!("ordinary user: {error}");
            Tally::failed(1)
        }
    }
}

/// The user's folder, with the programs.
struct Stage {
    folder: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

impl Stage {
    fn new(workspace: &Workspace) -> io::Result<Self> {
        let programs = workspace.build(&["labtests", "ringbolt"], Profile::Dev);
        let programs = programs.map_err(|_| io::Error::other("the programs cannot be built"))?;
        let folder = std::env::temp_dir().join(format!("ringbolt-user-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let stage = Self { folder };
        let own = std::env::current_exe()?;
        let copied = [
            ("xtask", own.as_path()),
            ("labtests", programs["labtests"].as_path()),
            ("ringbolt", programs["ringbolt"].as_path()),
        ];
        for (name, from) in copied {
            let to = stage.folder.join(name);
            fs::copy(from, &to)?;
            fs::set_permissions(&to, Permissions::from_mode(0o755))?;
        }
        chown(&stage.folder, Some(NOBODY), Some(NOBODY))?;
        Ok(stage)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command, run as the user.
    fn as_user(&self, command: &Command) -> Command {
        let mut wrapped = Command::new("setpriv");
        let id = NOBODY.to_string();
        wrapped.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]);
        wrapped.arg(command.get_program()).args(command.get_args());
        wrapped.env_clear();
        wrapped
            .env("PATH", PATH)
            .env("HOME", &self.folder)
            .env("TMPDIR", &self.folder);
        wrapped.current_dir(&self.folder);
        wrapped
    }

    /// What the user is told about the ground, by the program that decides it.
    fn ground(&self) -> Command {
        let mut ask = Command::new(self.program("xtask"));
        ask.arg("ground");
        self.as_user(&ask)
    }

    /// `labtests VERB …` on a ground.
    fn labtests(&self, ground: &Ground, verb: &str, more: &[&str]) -> Command {
        let ringbolt = self.program("ringbolt").display().to_string();
        let words = [verb, "--ringbolt", &ringbolt];
        let words = words.iter().chain(more);
        self.as_user(&ground.command(&self.program("labtests"), words))
    }

    fn in_a_namespace(&self, told: &str) -> Tally {
        if !told.contains("user namespace;") {
            println!("SKIPPED: this machine gives ordinary users no namespaces: {told}");
            return Tally::skipped(2);
        }
        let ground = Ground::UserNamespace;
        let mut tally = passes(
            "the demo as an ordinary user",
            &mut self.labtests(&ground, "demo", &[]),
        );
        let filters: Vec<&str> = SCENARIOS
            .iter()
            .flat_map(|name| ["--filter", *name])
            .collect();
        let mut labs = self.labtests(&ground, "run", &filters);
        tally += programs::counted(&mut labs, "labs as an ordinary user");
        tally
    }

    /// Where namespaces are refused. `told` is what the user is told outside of any.
    fn refused(&self, told: &str) -> Tally {
        let ground = Ground::Loopback(String::new());
        let demo = self.labtests(&ground, "demo", &["--loopback"]);
        if told.contains("loopback") {
            // This machine is the case, and it allows no namespace to play it in.
            return on_loopback(Ok(said(demo)));
        }
        if let Err(error) = confined(&Command::new("true")) {
            println!("SKIPPED: no namespace can be made here that refuses further ones: {error}");
            return Tally::skipped(1);
        }
        match confined(&self.ground()) {
            Ok(told) if told.contains("loopback") => on_loopback(confined(&demo)),
            Ok(told) => {
                println!("where namespaces are refused, a user is told: {told}");
                Tally::failed(1)
            }
            Err(error) => {
                println!("where namespaces are refused, a user is told nothing: {error}");
                Tally::failed(1)
            }
        }
    }
}

/// Whether the demo, by what it says, ended well.
fn on_loopback(told: io::Result<String>) -> Tally {
    match told {
        Ok(told) => {
            println!("{told}");
            // Root has installed it for the labs.
            if told.contains("demo: BIRD ") && told.contains("steps verified, on loopback") {
                return Tally::passed(1);
            }
            println!("the demo on loopback did not end well, or not with BIRD");
        }
        Err(error) => println!("the demo on loopback: {error}"),
    }
    Tally::failed(1)
}

fn said(mut command: Command) -> String {
    match command.stdin(Stdio::null()).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => error.to_string(),
    }
}

fn passes(what: &str, command: &mut Command) -> Tally {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Tally::passed(1),
        Ok(status) => {
            println!("{what}: {status}");
            Tally::failed(1)
        }
        Err(error) => {
            println!("{what}: {error}");
            Tally::failed(1)
        }
    }
}

/// What a command prints in a user namespace that has all users of this machine and allows no further namespace.
fn confined(command: &Command) -> io::Result<String> {
    // Rights come with a program that begins after the users are there.
    const SCRIPT: &str = r#"read -r _ && exec sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"' "$0" "$@""#;
    let mut outer = Command::new("unshare");
    outer.args(["--user", "sh", "-c", SCRIPT]);
    outer.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    let mut child = outer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Err(error) = admit(&mut child) {
        // It may wait for its word still.
        child.kill().ok();
        child.wait()?;
        return Err(error);
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Err(io::Error::other(format!("{}; {said}", output.status)))
}

/// Gives the namespace of this process all users of this machine, and the process its word to go on.
fn admit(child: &mut Child) -> io::Result<()> {
    let process = Path::new("/proc").join(child.id().to_string());
    // The namespace is there when it is another than ours.
    let ours = fs::read_link("/proc/self/ns/user")?;
    while fs::read_link(process.join("ns/user"))? == ours {
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("unshare: {status}")));
        }
        std::thread::yield_now();
    }
    for map in ["uid_map", "gid_map"] {
        fs::write(process.join(map), "0 0 65536\n")?;
    }
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    stdin.write_all(b"\n")
}
