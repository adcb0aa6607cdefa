//! Builds the programs of Kubernetes and keeps them in the caller's cache, in a folder named after everything the
//! build depends on. A build becomes visible by one rename; two builders wait for each other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::go::{Go, NoGo, answer};
use super::{ADVICE, PROGRAMS};
use crate::Failure;
use crate::workspace::Workspace;

/// Between two signs of life of a build.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// What the build depends on, beside the version of Go.
const SOURCES: &[&str] = &["main.go", "go.mod", "go.sum"];

/// The cached programs of these sources, if there are any.
pub(super) fn cached(workspace: &Workspace) -> Option<PathBuf> {
    let sources = sources(workspace);
    let go = Go::find(&workspace.caller, &sources).ok()?;
    let folder = place(workspace, &sources, &go.version).ok()?;
    is_complete(&folder).then_some(folder)
}

/// The cached programs; they are built if they are not there.
pub(super) fn cached_or_built(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let sources = sources(workspace);
    let go = Go::find(&workspace.caller, &sources).map_err(|why| no_go(&why))?;
    let folder = place(workspace, &sources, &go.version)?;
    if is_complete(&folder) {
        return Ok(folder);
    }
    let parent = folder.parent().unwrap_or(&folder);
    make_folders(workspace, parent)?;
    let _lock = Lock::take(workspace, parent)?;
    // Whoever held the lock may have built the same.
    if !is_complete(&folder) {
        build(workspace, &go, &folder)?;
    }
    Ok(folder)
}

fn sources(workspace: &Workspace) -> PathBuf {
    workspace.root.join("labtests/kubelab")
}

fn is_complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).exists())
}

fn no_go(why: &NoGo) -> Failure {
    let reason = match why {
        NoGo::Missing => "there is no `go`".to_owned(),
        NoGo::Old(version) => format!("{version} is too old"),
        NoGo::Broken(words) => format!("`go` says: {words}"),
    };
    Failure::Refused(format!(
        "the programs of Kubernetes are not there, and {reason}; {ADVICE}"
    ))
}

/// The folder in the cache for these sources and this Go.
fn place(workspace: &Workspace, sources: &Path, go: &str) -> Result<PathBuf, Failure> {
    let mut key = Key::default();
    for name in SOURCES {
        let path = sources.join(name);
        let bytes = fs::read(&path).map_err(|error| failed(&path, &error))?;
        key.add(&bytes);
    }
    key.add(go.as_bytes());
    let cache = workspace.caller.cache().ok_or_else(|| {
        Failure::Refused("there is no HOME to keep the programs of Kubernetes in".to_owned())
    })?;
    Ok(cache.join("ringbolt/kubelab").join(key.name()))
}

/// FNV-1a: the same key on every machine and with every compiler.
#[derive(Debug)]
struct Key(u64);

impl Default for Key {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Key {
    /// Adds a part; its length keeps parts from running together.
    fn add(&mut self, part: &[u8]) {
        for byte in part.len().to_be_bytes().iter().chain(part) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn name(&self) -> String {
        format!("{:016x}", self.0)
    }
}

/// Makes folders that belong to the person who builds.
fn make_folders(workspace: &Workspace, folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(workspace, parent)?;
    }
    fs::create_dir(folder).map_err(|error| failed(folder, &error))?;
    give(workspace, folder)
}

fn give(workspace: &Workspace, path: &Path) -> Result<(), Failure> {
    match workspace.caller.person() {
        Some(person) => std::os::unix::fs::lchown(path, Some(person.uid), Some(person.gid))
            .map_err(|error| failed(path, &error)),
        None => Ok(()),
    }
}

/// Held by the one who builds; the kernel lets go of it however the process ends.
#[derive(Debug)]
struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    fn take(workspace: &Workspace, folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("lock");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| failed(&path, &error))?;
        give(workspace, &path)?;
        if file.try_lock().is_err() {
            println!("setup: another build of the programs of Kubernetes runs; waiting for it");
            file.lock().map_err(|error| failed(&path, &error))?;
        }
        Ok(Self(file))
    }
}

fn build(workspace: &Workspace, go: &Go<'_>, folder: &Path) -> Result<(), Failure> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let making = folder.with_file_name(format!(".{name}.making"));
    // What a killed build left.
    if making.exists() {
        fs::remove_dir_all(&making).map_err(|error| failed(&making, &error))?;
    }
    make_folders(workspace, &making)?;
    println!(
        "setup: building etcd, kube-apiserver, kube-controller-manager, kube-proxy, kubectl and helm with {} \
         (100 MB of modules, five minutes on two cores, kept in {})",
        go.version,
        folder.display()
    );
    let program = making.join("kubelab");
    let linker = linker_flags(go)?;
    let output = program.to_string_lossy().into_owned();
    let args = [
        "build",
        "-trimpath",
        "-ldflags",
        &linker,
        "-o",
        &output,
        ".",
    ];
    let log = making.join("build.log");
    let file = File::create(&log).map_err(|error| failed(&log, &error))?;
    let mut child = go
        .command(&args)
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .map_err(|error| Failure::Failed(format!("go does not start: {error}")))?;
    let status = watch(&mut child)?;
    if !status.success() {
        let words = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = words.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        return Err(Failure::Failed(format!(
            "go build of the programs of Kubernetes failed:\n{tail}"
        )));
    }
    for name in PROGRAMS.iter().chain(&["helm"]) {
        let link = making.join(name);
        std::os::unix::fs::symlink("kubelab", &link).map_err(|error| failed(&link, &error))?;
        give(workspace, &link)?;
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    fs::rename(&making, folder).map_err(|error| failed(folder, &error))
}

/// The version that the programs tell; without it kubectl and the API server call themselves v0.0.0.
fn linker_flags(go: &Go<'_>) -> Result<String, Failure> {
    let mut list = go.command(&["list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"]);
    let version = answer(&mut list).map_err(|why| no_go(&why))?;
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    let package = "k8s.io/component-base/version";
    Ok(format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} \
         -X {package}.gitTreeState=clean -X {package}.gitCommit=kubelab \
         -X {package}.buildDate=1970-01-01T00:00:00Z"
    ))
}

/// Waits for the build and says now and then that it goes on.
fn watch(child: &mut Child) -> Result<ExitStatus, Failure> {
    let started = Instant::now();
    let mut told = started;
    loop {
        let ended = child
            .try_wait()
            .map_err(|error| Failure::Failed(format!("go build: {error}")))?;
        if let Some(status) = ended {
            println!("setup: took {} s", started.elapsed().as_secs());
            return Ok(status);
        }
        if told.elapsed() >= SIGN_OF_LIFE {
            println!("setup: still building ({} s)", started.elapsed().as_secs());
            told = Instant::now();
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
