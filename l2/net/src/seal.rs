//! Sealing of the frames speakers exchange: who may read and write them, and that each is taken once.
//!
//! ```text
//! version 1 | key id 4 | incarnation 8 | instance 8 | counter 8 | name length 1 | name n | ciphertext and tag
//! └──────────────────────── authenticated, in the clear ────────────────────────┘
//! ```
//!
//! - A frame is sealed with ChaCha20-Poly1305 (RFC 8439) under a subkey of its sender's process: HKDF-SHA-256 (RFC 5869)
//!   of the shared key, salted with the cluster id, for (name, incarnation, instance). The instance is 64 random bits
//!   of the process, so two processes never share a subkey, and the nonce is a plain counter.
//! - The header and the Ethernet source address are authenticated with it.
//! - A receiver keeps a window of 64 counters per interface and sender process; what it has seen, or what is older than the
//!   window, is dropped.
//!
//! Owns keys and windows. Does not know what a plaintext means, and does not look into it.

use std::collections::BTreeMap;
use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ringbolt_l2::types::{ClusterId, IfIndex, Incarnation, Instance, KeyId, MacAddr, NodeName};

mod replay;

use replay::Windows;

/// Form of the frame.
const VERSION: u8 = 1;
/// Bytes of the header without the sender's name.
const FIXED: usize = 1 + 4 + 8 + 8 + 8 + 1;
/// Bytes of the authentication tag.
const TAG: usize = 16;

/// A shared key: 32 bytes, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// Takes exactly 32 bytes; `None` for any other length.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The shared keys by id; the highest id is the newest.
pub type KeyRing = BTreeMap<KeyId, Key>;

/// Why a frame was not opened. A counter each; none is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    /// Too short, another version, or a name that is none.
    #[error("malformed header")]
    Malformed,
    /// The key id is not in the ring.
    #[error("unknown key")]
    UnknownKey,
    /// The tag does not fit: another key, or changed bytes.
    #[error("not authentic")]
    Forged,
    /// Seen before, or older than the window.
    #[error("replayed")]
    Replayed,
}

/// What was under a seal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) sender: NodeName,
    pub(crate) plaintext: Vec<u8>,
}

/// One process of a node's speaker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    node: NodeName,
    incarnation: Incarnation,
    instance: u64,
}

/// Seals our frames and opens those of others.
pub(crate) struct Seal {
    cluster: ClusterId,
    own: Process,
    ring: KeyRing,
    /// Counter of the next frame under the present incarnation.
    counter: u64,
    sealing: BTreeMap<KeyId, LessSafeKey>,
    windows: Windows<Process>,
}

impl Seal {
    pub(crate) fn new(
        cluster: ClusterId,
        node: NodeName,
        incarnation: Incarnation,
        instance: Instance,
    ) -> Self {
        let own = Process {
            node,
            incarnation,
            instance: instance.0,
        };
        Self {
            cluster,
            own,
            ring: KeyRing::new(),
            counter: 0,
            sealing: BTreeMap::new(),
            windows: Windows::default(),
        }
    }

    pub(crate) fn set_keys(&mut self, ring: KeyRing) {
        self.sealing.clear();
        self.ring = ring;
    }

    /// Another incarnation is another subkey: its counter starts afresh.
    pub(crate) fn set_incarnation(&mut self, incarnation: Incarnation) {
        if self.own.incarnation != incarnation {
            self.own.incarnation = incarnation;
            self.sealing.clear();
            self.counter = 0;
        }
    }

    /// The payload of a frame from `source`, or `None` where the ring lacks the key.
    pub(crate) fn seal(
        &mut self,
        key: KeyId,
        source: MacAddr,
        plaintext: &[u8],
    ) -> Option<Vec<u8>> {
        if !self.sealing.contains_key(&key) {
            let subkey = subkey(self.ring.get(&key)?, self.cluster, &self.own);
            self.sealing.insert(key, subkey);
        }
        let subkey = self.sealing.get(&key)?;
        let counter = self.counter;
        self.counter = counter.checked_add(1)?;
        let mut payload = header(key, &self.own, counter);
        let authenticated = authenticated(&payload, source);
        let mut sealed = plaintext.to_vec();
        subkey
            .seal_in_place_append_tag(nonce(counter), Aad::from(authenticated), &mut sealed)
            .ok()?;
        payload.append(&mut sealed);
        Some(payload)
    }

    /// Opens a payload that came in on `interface` from the Ethernet address `source`.
    pub(crate) fn open(
        &mut self,
        interface: IfIndex,
        source: MacAddr,
        payload: &[u8],
    ) -> Result<Opened, OpenError> {
        let (key_id, sender, counter, sealed) = parse(payload).ok_or(OpenError::Malformed)?;
        let key = self.ring.get(&key_id).ok_or(OpenError::UnknownKey)?;
        let clear = payload.len() - sealed.len();
        let authenticated = authenticated(payload.get(..clear).unwrap_or_default(), source);
        let mut bytes = sealed.to_vec();
        let plaintext = subkey(key, self.cluster, &sender)
            .open_in_place(nonce(counter), Aad::from(authenticated), &mut bytes)
            .map_err(|_unspecified| OpenError::Forged)?;
        let plaintext = plaintext.to_vec();
        // Only what is authentic may move a window or take memory.
        if !self.windows.admit(interface, &sender, counter) {
            return Err(OpenError::Replayed);
        }
        Ok(Opened {
            sender: sender.node,
            plaintext,
        })
    }
}

fn header(key: KeyId, sender: &Process, counter: u64) -> Vec<u8> {
    let name = sender.node.as_str().as_bytes();
    let mut header = Vec::with_capacity(FIXED + name.len());
    header.push(VERSION);
    header.extend(key.0.to_be_bytes());
    header.extend(sender.incarnation.0.to_be_bytes());
    header.extend(sender.instance.to_be_bytes());
    header.extend(counter.to_be_bytes());
    header.push(u8::try_from(name.len()).expect("a node name has at most 253 bytes"));
    header.extend(name);
    header
}

/// Takes the header apart; what is left is ciphertext and tag.
fn parse(payload: &[u8]) -> Option<(KeyId, Process, u64, &[u8])> {
    let (&version, rest) = payload.split_first()?;
    if version != VERSION {
        return None;
    }
    let (key, rest) = rest.split_first_chunk::<4>()?;
    let (incarnation, rest) = rest.split_first_chunk::<8>()?;
    let (instance, rest) = rest.split_first_chunk::<8>()?;
    let (counter, rest) = rest.split_first_chunk::<8>()?;
    let (&length, rest) = rest.split_first()?;
    let (name, sealed) = rest.split_at_checked(usize::from(length))?;
    if sealed.len() < TAG {
        return None;
    }
    let node = NodeName::new(std::str::from_utf8(name).ok()?).ok()?;
    let sender = Process {
        node,
        incarnation: Incarnation(u64::from_be_bytes(*incarnation)),
        instance: u64::from_be_bytes(*instance),
    };
    Some((
        KeyId(u32::from_be_bytes(*key)),
        sender,
        u64::from_be_bytes(*counter),
        sealed,
    ))
}

fn authenticated(header: &[u8], source: MacAddr) -> Vec<u8> {
    let mut bytes = header.to_vec();
    bytes.extend(source.0);
    bytes
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// The key of one process: nobody else seals with it, so counters of different processes never meet.
fn subkey(key: &Key, cluster: ClusterId, process: &Process) -> LessSafeKey {
    let salt = Salt::new(HKDF_SHA256, &cluster.0);
    let info: [&[u8]; 4] = [
        b"ringbolt layer 2",
        process.node.as_str().as_bytes(),
        &process.incarnation.0.to_be_bytes(),
        &process.instance.to_be_bytes(),
    ];
    let unbound: UnboundKey = salt
        .extract(&key.0)
        .expand(&info, &CHACHA20_POLY1305)
        .expect("32 bytes are less than HKDF's limit of 255 blocks")
        .into();
    LessSafeKey::new(unbound)
}

#[cfg(test)]
mod tests;
