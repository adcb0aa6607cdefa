//! Looks at a finished image as a container runtime would: unpacked by the system's tar, every descriptor followed
//! and its digest computed, the program looked at and run with nothing else around it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::oci::{self, PROGRAM, USER};
use crate::caller::Caller;
use crate::{Failure, Outcome};

/// An error unless `file` is an image that holds together and whose program runs.
pub(super) fn check(file: &Path) -> Outcome {
    let folder = Folder::beside(file)?;
    let layout = folder.0.join("layout");
    unpack(file, &layout)?;
    let layer = follow(&layout)?;
    let root = folder.0.join("root");
    unpack(&layer, &root)?;
    let program = root.join(PROGRAM);
    let bytes = read(&program)?;
    if let Some(interpreter) = interpreter(&bytes)? {
        return Err(broken(&format!(
            "the program needs `{interpreter}`, which the image does not have"
        )));
    }
    let mode = fs::metadata(&program).map(|of| of.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o555 != 0o555) {
        return Err(broken("not everybody may run the program"));
    }
    let version = run_alone(&root)?;
    if !version.starts_with("ringbolt ") {
        return Err(broken(&format!(
            "`/{PROGRAM} --version` prints `{version}`"
        )));
    }
    Ok(())
}

fn broken(why: &str) -> Failure {
    Failure::Failed(format!("the image is broken: {why}"))
}

/// A folder that goes when the check ends.
struct Folder(PathBuf);

impl Folder {
    fn beside(file: &Path) -> Result<Self, Failure> {
        let folder = file.with_extension(format!("check-{}", std::process::id()));
        fs::create_dir_all(&folder)
            .map_err(|err| Failure::Failed(format!("{}: {err}", folder.display())))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is in the way of nobody.
        fs::remove_dir_all(&self.0).ok();
    }
}

fn unpack(archive: &Path, into: &Path) -> Outcome {
    fs::create_dir_all(into)
        .map_err(|err| Failure::Failed(format!("{}: {err}", into.display())))?;
    let output = Command::new("tar")
        .args(["--no-same-owner", "-xf"])
        .arg(archive)
        .arg("-C")
        .arg(into)
        .output()
        .map_err(|err| Failure::Failed(format!("tar does not start: {err}")))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(broken(&format!("{}: {why}", archive.display())))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|err| broken(&format!("{}: {err}", path.display())))
}

fn read_json(path: &Path) -> Result<Value, Failure> {
    serde_json::from_slice(&read(path)?)
        .map_err(|err| broken(&format!("{}: {err}", path.display())))
}

/// From the index to the layer; returns the layer's file.
fn follow(layout: &Path) -> Result<PathBuf, Failure> {
    let says = read_json(&layout.join("oci-layout"))?;
    expect(&says["imageLayoutVersion"], "1.0.0", "oci-layout")?;
    let index = read_json(&layout.join("index.json"))?;
    let entry = only(&index["manifests"], "index.json: manifests")?;
    expect(&entry["platform"]["os"], "linux", "index.json: os")?;
    let manifest = read_json(&blob(layout, entry)?)?;
    let config_path = blob(layout, &manifest["config"])?;
    let config = read_json(&config_path)?;
    let layer = only(&manifest["layers"], "manifest: layers")?;
    let layer_path = blob(layout, layer)?;
    let uncompressed = only(&config["rootfs"]["diff_ids"], "config: diff_ids")?;
    expect(uncompressed, text(&layer["digest"]), "config: diff_ids")?;
    let entrypoint = only(&config["config"]["Entrypoint"], "config: Entrypoint")?;
    expect(entrypoint, &format!("/{PROGRAM}"), "config: Entrypoint")?;
    expect(&config["config"]["User"], USER, "config: User")?;
    expect(
        &config["architecture"],
        text(&entry["platform"]["architecture"]),
        "architecture",
    )?;
    let docker = read_json(&layout.join("manifest.json"))?;
    let docker = only(&docker, "manifest.json")?;
    for (path, name) in [
        (&config_path, &docker["Config"]),
        (&layer_path, &docker["Layers"][0]),
    ] {
        if *path != layout.join(text(name)) {
            return Err(broken(&format!("manifest.json names {name}")));
        }
    }
    Ok(layer_path)
}

/// The file a descriptor means, when size and digest are as it says.
fn blob(layout: &Path, descriptor: &Value) -> Result<PathBuf, Failure> {
    let digest = text(&descriptor["digest"]);
    let Some(hex) = digest.strip_prefix("sha256:") else {
        return Err(broken(&format!("`{digest}` is no digest")));
    };
    let path = layout.join("blobs/sha256").join(hex);
    let content = read(&path)?;
    if descriptor["size"].as_u64() != u64::try_from(content.len()).ok() {
        return Err(broken(&format!(
            "{hex} is not of the size {}",
            descriptor["size"]
        )));
    }
    if oci::sha256(&content)? != hex {
        return Err(broken(&format!("{hex} has another digest")));
    }
    Ok(path)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn expect(value: &Value, wanted: &str, what: &str) -> Outcome {
    if value.as_str() == Some(wanted) {
        return Ok(());
    }
    Err(broken(&format!("{what} is {value}, not `{wanted}`")))
}

fn only<'a>(value: &'a Value, what: &str) -> Result<&'a Value, Failure> {
    match value.as_array().map(Vec::as_slice) {
        Some([one]) => Ok(one),
        Some(_) | None => Err(broken(&format!("{what}: exactly one is needed"))),
    }
}

/// The loader that a 64-bit ELF program of this machine's byte order asks for (PT_INTERP), or its shared libraries
/// would be loaded by; `None` when it is static.
fn interpreter(program: &[u8]) -> Result<Option<String>, Failure> {
    const PT_INTERP: u32 = 3;
    let cut = || broken("the program is no ELF file, or is cut short");
    let bytes = |at: usize, count: usize| program.get(at..at.checked_add(count)?);
    let half = |at| bytes(at, 2)?.try_into().ok().map(u16::from_le_bytes);
    let word = |at| bytes(at, 4)?.try_into().ok().map(u32::from_le_bytes);
    let long = |at| {
        let value = bytes(at, 8)?.try_into().ok().map(u64::from_le_bytes)?;
        usize::try_from(value).ok()
    };
    // ELF64, little-endian: the header's fields are where the System V ABI puts them.
    if bytes(0, 6) != Some(b"\x7fELF\x02\x01") {
        return Err(cut());
    }
    let table = long(0x20).ok_or_else(cut)?;
    let size = half(0x36).map(usize::from).ok_or_else(cut)?;
    let count = half(0x38).map(usize::from).ok_or_else(cut)?;
    for number in 0..count {
        let at = table + number * size;
        if word(at).ok_or_else(cut)? != PT_INTERP {
            continue;
        }
        let from = long(at + 8).ok_or_else(cut)?;
        let length = long(at + 32).ok_or_else(cut)?;
        let name = bytes(from, length).ok_or_else(cut)?;
        let name = String::from_utf8_lossy(name);
        return Ok(Some(name.trim_end_matches('\0').to_owned()));
    }
    Ok(None)
}

/// What `/ringbolt --version` prints with `root` as the whole file system. Nobody but root may change his root;
/// others do it in a user namespace, and where that is refused the program runs where it lies.
fn run_alone(root: &Path) -> Result<String, Failure> {
    const NAMESPACE: [&str; 2] = ["--user", "--map-root-user"];
    let mut probe = Command::new("unshare");
    probe.args(NAMESPACE).arg("true").stderr(Stdio::null());
    let mut command = if Caller::detect().is_root() {
        Command::new("chroot")
    } else if probe.status().is_ok_and(|status| status.success()) {
        let mut command = Command::new("unshare");
        command.args(NAMESPACE).arg("chroot");
        command
    } else {
        println!("no user namespace is to be had: the program runs without a root of its own");
        return version_of(Command::new(root.join(PROGRAM)).arg("--version"));
    };
    command.arg(root).arg(format!("/{PROGRAM}"));
    version_of(command.arg("--version"))
}

fn version_of(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .output()
        .map_err(|err| Failure::Failed(format!("the program does not start: {err}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(broken(&format!("its program does not run: {why}")))
}

#[cfg(test)]
mod tests;
