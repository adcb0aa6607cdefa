//! Copies of `manifests/examples` for one test each, turned to loopback.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory of manifests that goes with the test.
pub(crate) struct Manifests {
    directory: TempDir,
}

impl Manifests {
    /// Without any document.
    pub(crate) fn empty() -> Self {
        Self {
            directory: tempfile::tempdir().expect("there is a temporary directory"),
        }
    }

    /// The examples with the router at 127.0.0.1:`port`, and no segment of this machine.
    pub(crate) fn examples(port: u16) -> Self {
        let copy = Self::empty();
        for entry in fs::read_dir(examples()).expect("the examples are part of the repository") {
            let path = entry.expect("it can be listed").path();
            let text = fs::read_to_string(&path).expect("manifests are text");
            let router = format!("peerAddress: 127.0.0.1\n  peerPort: {port}\n");
            let text = text.replace("peerAddress: 192.0.2.1\n", &router).replace(
                "kind: L2Advertisement\nmetadata:\n  name: segment\nspec:\n",
                &segment(),
            );
            copy.write(
                &path
                    .file_name()
                    .expect("files have names")
                    .to_string_lossy(),
                &text,
            );
        }
        assert!(
            copy.read("bgp.yaml").contains("127.0.0.1"),
            "the peer could not be turned to loopback"
        );
        assert!(
            copy.read("layer2.yaml").contains(NO_INTERFACE),
            "layer 2 could not be kept off this machine"
        );
        copy
    }

    /// The other side: a speaker that waits for node-1 of the examples.
    pub(crate) fn router() -> Self {
        let router = Self::empty();
        router.write(
            "router.yaml",
            "apiVersion: v1\nkind: Node\nmetadata: {name: router}\nstatus:\n  addresses: [{type: InternalIP, address: 192.0.2.1}]\n\
             ---\n\
             apiVersion: ringbolt.io/v1beta1\nkind: BGPPeer\nmetadata: {name: node-1}\nspec: {myASN: 64511, peerASN: 64512, \
             peerAddress: 127.0.0.1, passive: true, families: [IPv4, IPv6]}\n",
        );
        router
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// The directory as an argument.
    pub(crate) fn text(&self) -> String {
        self.directory.path().display().to_string()
    }

    /// Writes a file whole, as an editor does: beside it, then renamed over it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let beside = self.directory.path().join(format!(".{name}.new"));
        fs::write(&beside, text).expect("the directory is ours");
        fs::rename(&beside, self.directory.path().join(name)).expect("the directory is ours");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).expect("the file was written")
    }
}

/// A name no interface has.
const NO_INTERFACE: &str = "rb-no-such";

fn segment() -> String {
    format!(
        "kind: L2Advertisement\nmetadata:\n  name: segment\nspec:\n  interfaces: [{NO_INTERFACE}]\n"
    )
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/examples")
}

/// A port that nobody uses at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    listener.local_addr().expect("it is bound").port()
}
