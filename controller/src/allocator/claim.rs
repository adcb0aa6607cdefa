//! A claim on one address as the allocator sees it, and its conversion from and to `IPAllocation`.
//!
//! The object's metadata stays with whoever wrote it; only the spec is ours to fill.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use ringbolt_config::api::IPAllocation;
use ringbolt_config::api::allocation::{HeldPort, Holder as HolderSpec, ReservedFor};
use ringbolt_config::names::{SharingKey, allocation_address};
use ringbolt_config::service::Protocol;
use ringbolt_config::{PoolName, ServiceKey, Uid};

use super::sharing::Port;

/// One Service that holds an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Which incarnation.
    pub uid: Uid,
    /// Its name.
    pub key: ServiceKey,
    /// What it occupies; recorded for Services that share.
    pub ports: BTreeSet<Port>,
}

/// Who has an address, for whom it is kept, since when it rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The address; the object is named after it.
    pub address: IpAddr,
    /// The pool it was taken from.
    pub pool: Option<PoolName>,
    /// Who holds it, the one that came first being first.
    pub holders: Vec<Holder>,
    /// What the holders share by.
    pub sharing_key: Option<SharingKey>,
    /// When the last holder let go.
    pub released_at: Option<Timestamp>,
    /// For whom it is kept.
    pub reserved_for: Option<ServiceKey>,
    /// When the object was created; read only.
    pub created: Option<Timestamp>,
    /// What keeps the object from being read. Its name excludes others all the same.
    pub fault: Option<ClaimProblem>,
}

/// What a claim amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// At least one Service holds the address.
    Held,
    /// Nobody holds it, and only this Service may.
    Reserved(&'a ServiceKey),
    /// Nobody holds it, since that time.
    Resting(Timestamp),
    /// There is an object that cannot be read: nobody may have the address.
    Faulty,
}

/// Why an IPAllocation is no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimProblem {
    /// Its name is not that of its address, so that it does not exclude a second one.
    #[error("metadata.name is not the name of spec.address")]
    Name,
    /// A holder or the reservation cannot be read.
    #[error("spec.{0} cannot be read")]
    Field(&'static str),
}

impl Claim {
    /// An address that nobody holds and nobody held.
    pub fn unheld(address: IpAddr) -> Self {
        Self {
            address,
            pool: None,
            holders: Vec::new(),
            sharing_key: None,
            released_at: None,
            reserved_for: None,
            created: None,
            fault: None,
        }
    }

    /// What the claim amounts to. One that was never released rests since the beginning of time.
    pub fn standing(&self) -> Standing<'_> {
        if self.fault.is_some() {
            return Standing::Faulty;
        }
        match (&self.holders[..], &self.reserved_for) {
            ([_, ..], _) => Standing::Held,
            ([], Some(key)) => Standing::Reserved(key),
            ([], None) => Standing::Resting(self.released_at.unwrap_or(Timestamp::UNIX_EPOCH)),
        }
    }

    /// Whether somebody may have the address now who could not while the claim was `old`.
    pub fn leaves_more_room_than(&self, old: &Self) -> bool {
        let stays = |holder: &Holder| self.holders.contains(holder);
        let tighter = old.holders.iter().all(stays)
            && (old.sharing_key == self.sharing_key || old.holders.is_empty())
            && (old.reserved_for == self.reserved_for || old.reserved_for.is_none())
            && old.fault.is_none();
        !tighter
    }

    /// The entry of a holder.
    pub fn holder(&self, uid: &Uid) -> Option<&Holder> {
        self.holders.iter().find(|h| h.uid == *uid)
    }

    /// Reads the object of a name. What cannot be read is a claim too: its name is taken.
    pub fn of(address: IpAddr, object: &IPAllocation) -> Self {
        match Self::read(object) {
            Ok(claim) if claim.address == address => claim,
            Ok(_) => Self {
                fault: Some(ClaimProblem::Name),
                ..Self::unheld(address)
            },
            Err(problem) => Self {
                fault: Some(problem),
                ..Self::unheld(address)
            },
        }
    }

    fn read(object: &IPAllocation) -> Result<Self, ClaimProblem> {
        let spec = &object.spec;
        let address = spec
            .address
            .parse()
            .map_err(|_| ClaimProblem::Field("address"))?;
        if object.metadata.name.as_deref().and_then(allocation_address) != Some(address) {
            return Err(ClaimProblem::Name);
        }
        let pool = spec.pool.as_deref().map(str::parse).transpose();
        let sharing_key = spec.sharing_key.as_deref().map(str::parse).transpose();
        let reserved_for = spec
            .reserved_for
            .as_ref()
            .map(|r| ServiceKey::new(&r.namespace, &r.name))
            .transpose();
        Ok(Self {
            address,
            pool: pool.map_err(|_| ClaimProblem::Field("pool"))?,
            holders: spec
                .holders
                .iter()
                .map(read_holder)
                .collect::<Result<_, _>>()?,
            sharing_key: sharing_key.map_err(|_| ClaimProblem::Field("sharingKey"))?,
            released_at: spec.released_at,
            reserved_for: reserved_for.map_err(|_| ClaimProblem::Field("reservedFor"))?,
            created: object
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|time| time.0),
            fault: None,
        })
    }

    /// Makes the object's spec say this.
    pub fn write(&self, object: &mut IPAllocation) {
        let spec = &mut object.spec;
        spec.address = self.address.to_string();
        spec.pool = self.pool.as_ref().map(PoolName::to_string);
        spec.holders = self.holders.iter().map(write_holder).collect();
        spec.sharing_key = self.sharing_key.as_ref().map(SharingKey::to_string);
        spec.released_at = self.released_at;
        spec.reserved_for = self.reserved_for.as_ref().map(|key| ReservedFor {
            namespace: key.namespace().to_owned(),
            name: key.name().to_owned(),
        });
    }
}

fn read_holder(holder: &HolderSpec) -> Result<Holder, ClaimProblem> {
    let bad = ClaimProblem::Field("holders");
    let port = |p: &HeldPort| {
        Some(Port {
            protocol: Protocol::parse(&p.protocol)?,
            number: p.port,
        })
    };
    Ok(Holder {
        uid: holder.uid.parse().map_err(|_| bad)?,
        key: ServiceKey::new(&holder.namespace, &holder.name).map_err(|_| bad)?,
        ports: holder
            .ports
            .iter()
            .map(port)
            .collect::<Option<_>>()
            .ok_or(bad)?,
    })
}

fn write_holder(holder: &Holder) -> HolderSpec {
    let port = |p: &Port| HeldPort {
        protocol: p.protocol.as_str().to_owned(),
        port: p.number,
    };
    HolderSpec {
        uid: holder.uid.to_string(),
        namespace: holder.key.namespace().to_owned(),
        name: holder.key.name().to_owned(),
        ports: holder.ports.iter().map(port).collect(),
    }
}
