//! What an image consists of: the OCI image layout 1.0 in one tar file, with one layer that is not compressed. The
//! file `manifest.json` beside it is for `docker load` of releases that do not know the layout.
//!
//! Blobs are named by their SHA-256, which `sha256sum` computes. The same program makes the same file.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::tar::{Archive, NoRoom};
use crate::Failure;

/// Where the program is in the image.
pub(super) const PROGRAM: &str = "ringbolt";
/// Who runs it where nothing else is said: nobody that a node knows.
pub(super) const USER: &str = "65532:65532";
/// The time of everything in the image.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// What an image says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    /// As in `ringbolt:0.1.0`, or with a registry before it.
    pub(super) name: String,
    pub(super) version: String,
    /// As Go spells it.
    pub(super) architecture: &'static str,
}

impl About {
    /// An image of this machine's architecture; without a name it is called `ringbolt` with its version.
    pub(super) fn of(version: &str, name: Option<&str>) -> Result<Self, Failure> {
        let architecture = match env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => {
                return Err(Failure::Refused(format!(
                    "no image for the architecture {other}"
                )));
            }
        };
        let name = name.map_or_else(|| format!("ringbolt:{version}"), str::to_owned);
        if tag(&name).is_none() {
            return Err(Failure::Refused(format!(
                "`{name}` has no tag: NAME:TAG is needed"
            )));
        }
        Ok(Self {
            name,
            version: version.to_owned(),
            architecture,
        })
    }

    /// The name with everything in it that container runtimes add: registry and `library/`.
    pub(super) fn full_name(&self) -> String {
        match self.name.split_once('/') {
            Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => {
                self.name.clone()
            }
            Some(_) => format!("docker.io/{}", self.name),
            None => format!("docker.io/library/{}", self.name),
        }
    }
}

/// What follows the last colon, unless that is a registry's port.
fn tag(name: &str) -> Option<&str> {
    let (_, tag) = name.rsplit_once(':')?;
    (!tag.is_empty() && !tag.contains('/')).then_some(tag)
}

/// An image with `program` in it, as one tar file.
pub(super) fn image(program: &[u8], about: &About) -> Result<Vec<u8>, Failure> {
    let layer = layer(program).map_err(|NoRoom(why)| Failure::Failed(why))?;
    let mut blobs = Blobs::default();
    let layer = blobs.add("application/vnd.oci.image.layer.v1.tar", layer)?;
    let config = config(about, &layer.digest);
    let config = blobs.add_json("application/vnd.oci.image.config.v1+json", &config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    });
    let manifest = blobs.add_json("application/vnd.oci.image.manifest.v1+json", &manifest)?;
    let mut descriptor = manifest.descriptor();
    descriptor["platform"] = json!({"architecture": about.architecture, "os": "linux"});
    descriptor["annotations"] = json!({
        "io.containerd.image.name": about.full_name(),
        "org.opencontainers.image.ref.name": tag(&about.name),
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [descriptor],
    });
    let docker = json!([{
        "Config": config.path(),
        "RepoTags": [about.name],
        "Layers": [layer.path()],
    }]);
    blobs
        .archive(&index, &docker)
        .map_err(|NoRoom(why)| Failure::Failed(why))
}

/// The only layer: the program, and the folder for its state, so that a file system which is read only has a place
/// to mount one.
fn layer(program: &[u8]) -> Result<Vec<u8>, NoRoom> {
    let mut archive = Archive::default();
    archive.file(PROGRAM, 0o755, program)?;
    for folder in ["var", "var/lib", "var/lib/ringbolt"] {
        archive.folder(folder)?;
    }
    Ok(archive.finish())
}

fn config(about: &About, layer: &str) -> Value {
    json!({
        "created": EPOCH,
        "architecture": about.architecture,
        "os": "linux",
        "config": {
            "User": USER,
            "Entrypoint": [format!("/{PROGRAM}")],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": "ringbolt",
                "org.opencontainers.image.version": about.version,
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [layer]},
        "history": [{"created": EPOCH, "created_by": "cargo xtask image"}],
    })
}

/// Something that is named by what it contains.
#[derive(Debug, Clone)]
struct Blob {
    media_type: &'static str,
    digest: String,
    size: usize,
}

impl Blob {
    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.size})
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }
}

#[derive(Debug, Default)]
struct Blobs {
    held: Vec<(Blob, Vec<u8>)>,
}

impl Blobs {
    fn add(&mut self, media_type: &'static str, content: Vec<u8>) -> Result<Blob, Failure> {
        let blob = Blob {
            media_type,
            digest: format!("sha256:{}", sha256(&content)?),
            size: content.len(),
        };
        self.held.push((blob.clone(), content));
        Ok(blob)
    }

    fn add_json(&mut self, media_type: &'static str, value: &Value) -> Result<Blob, Failure> {
        self.add(media_type, value.to_string().into_bytes())
    }

    fn archive(&self, index: &Value, docker: &Value) -> Result<Vec<u8>, NoRoom> {
        let mut archive = Archive::default();
        let layout = json!({"imageLayoutVersion": "1.0.0"});
        archive.file("oci-layout", 0o644, layout.to_string().as_bytes())?;
        archive.file("index.json", 0o644, index.to_string().as_bytes())?;
        archive.file("manifest.json", 0o644, docker.to_string().as_bytes())?;
        archive.folder("blobs")?;
        archive.folder("blobs/sha256")?;
        for (blob, content) in &self.held {
            archive.file(&blob.path(), 0o644, content)?;
        }
        Ok(archive.finish())
    }
}

/// The SHA-256 of some bytes in hexadecimal digits.
pub(super) fn sha256(content: &[u8]) -> Result<String, Failure> {
    let failed = |why: String| Failure::Failed(format!("sha256sum: {why}"));
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|err| failed(err.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(content)
            .map_err(|err| failed(err.to_string()))?;
    }
    let output = child
        .wait_with_output()
        .map_err(|err| failed(err.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.split_whitespace().next() {
        Some(sum) if output.status.success() && sum.len() == 64 => Ok(sum.to_owned()),
        Some(_) | None => Err(failed(format!("it printed `{text}`"))),
    }
}
