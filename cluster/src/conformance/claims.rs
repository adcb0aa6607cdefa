//! Checks of claims: the one place where two controllers must never both succeed.

use std::collections::BTreeSet;

use ringbolt_config::api::{IPAllocation, IPAllocationSpec};
use ringbolt_config::{Kind, ResourceVersion, Uid};

use super::{Ground, Seen, reference};
use crate::{WriteError, Writer};

const NAME: &str = "v4-192-0-2-10";

/// Of many that create a name at once, one succeeds.
pub async fn a_claim_is_created_once(ground: &impl Ground) {
    let writers = [ground.controller().writer(), ground.controller().writer()];
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let writer = writers[number % 2].clone();
            tokio::spawn(async move { writer.create_allocation(&claim(&number.to_string())).await })
        })
        .collect();
    let mut created = Vec::new();
    for task in tasks {
        match task.await.expect("no writer panics") {
            Ok(claim) => created.push(claim),
            Err(error) => assert_eq!(error, WriteError::AlreadyExists { object: object() }),
        }
    }
    assert_eq!(created.len(), 1);
    let stored = writers[1]
        .get_allocation(NAME)
        .await
        .expect("it was created");
    assert_eq!(Some(&stored), created.first());
    assert!(stored.metadata.uid.is_some() && stored.metadata.creation_timestamp.is_some());
}

/// A version can be used once.
pub async fn a_claim_is_changed_under_the_version_that_was_read(ground: &impl Ground) {
    let writer = ground.controller().writer();
    let missing = writer.update_allocation(&at_version(claim("a"), "1")).await;
    assert_eq!(
        missing.expect_err("there is none"),
        WriteError::NotFound { object: object() }
    );
    let first = writer
        .create_allocation(&claim("a"))
        .await
        .expect("there is none");
    let mut next = first.clone();
    next.spec.pool = Some("b".to_owned());
    let second = writer
        .update_allocation(&next)
        .await
        .expect("the version is the newest");
    assert_eq!(second.metadata.uid, first.metadata.uid);
    assert_eq!(second.spec.pool.as_deref(), Some("b"));
    let late = writer.update_allocation(&next).await;
    assert_eq!(
        late.expect_err("the version is used up"),
        WriteError::Conflict { object: object() }
    );
    let mut bare = second.clone();
    bare.metadata.resource_version = None;
    let bare = writer.update_allocation(&bare).await;
    assert!(matches!(bare, Err(WriteError::Invalid { .. })), "{bare:?}");
}

/// Another uid or version is refused; a deleted claim can be created again and is another one.
pub async fn a_claim_is_deleted_by_uid_and_version(ground: &impl Ground) {
    let writer = ground.controller().writer();
    let first = writer
        .create_allocation(&claim("a"))
        .await
        .expect("there is none");
    let conflict = WriteError::Conflict { object: object() };
    let foreign: Uid = "another".parse().expect("a uid is any text");
    let refused = writer
        .delete_allocation(NAME, &foreign, &version(&first))
        .await;
    assert_eq!(refused.expect_err("it is another"), conflict);
    let mut next = first.clone();
    next.spec.pool = Some("b".to_owned());
    let second = writer
        .update_allocation(&next)
        .await
        .expect("the version is the newest");
    let refused = writer
        .delete_allocation(NAME, &uid(&first), &version(&first))
        .await;
    assert_eq!(refused.expect_err("the version is used up"), conflict);
    let deleted = writer
        .delete_allocation(NAME, &uid(&second), &version(&second))
        .await;
    assert_eq!(deleted, Ok(()));
    let missing = WriteError::NotFound { object: object() };
    assert_eq!(
        writer
            .get_allocation(NAME)
            .await
            .expect_err("it is deleted"),
        missing
    );
    let again = writer
        .delete_allocation(NAME, &uid(&second), &version(&second))
        .await;
    assert_eq!(again.expect_err("it is deleted"), missing);
    let other = writer
        .create_allocation(&claim("a"))
        .await
        .expect("there is none");
    assert_ne!(other.metadata.uid, first.metadata.uid);
}

/// Two processes count up in one claim.
pub async fn no_acknowledged_change_of_a_claim_is_lost(ground: &impl Ground) {
    const INCREMENTS: u32 = 50;
    let writers = [ground.controller().writer(), ground.controller().writer()];
    writers[0]
        .create_allocation(&claim("0"))
        .await
        .expect("there is none");
    let tasks: Vec<_> = writers
        .iter()
        .cloned()
        .map(|writer| {
            tokio::spawn(async move {
                for _ in 0..INCREMENTS {
                    increment(&writer).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no writer panics");
    }
    assert_eq!(
        count(&writers[0].get_allocation(NAME).await.expect("it exists")),
        2 * INCREMENTS
    );
}

/// Claims come through a watch like any object.
pub async fn claims_are_watched(ground: &impl Ground) {
    let writer = ground.controller().writer();
    let mut seen = Seen::new(&ground.controller(), &[Kind::IPAllocation]);
    let claim = writer
        .create_allocation(&claim("a"))
        .await
        .expect("there is none");
    seen.until("the claim", |seen| {
        seen.object(Kind::IPAllocation, NAME).is_some()
    })
    .await;
    writer
        .delete_allocation(NAME, &uid(&claim), &version(&claim))
        .await
        .expect("it exists");
    seen.until("its end", |seen| seen.objects.is_empty()).await;
    let kinds: BTreeSet<_> = seen.synced.iter().copied().collect();
    assert!(kinds.is_subset(&BTreeSet::from([Kind::IPAllocation])));
}

async fn increment(writer: &Writer) {
    loop {
        let mut claim = writer.get_allocation(NAME).await.expect("it exists");
        claim.spec.sharing_key = Some((count(&claim) + 1).to_string());
        match writer.update_allocation(&claim).await {
            Ok(_) => return,
            Err(WriteError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn count(claim: &IPAllocation) -> u32 {
    let count = claim
        .spec
        .sharing_key
        .as_deref()
        .expect("the count is there");
    count.parse().expect("the count is a number")
}

fn object() -> ringbolt_config::ObjectRef {
    reference(Kind::IPAllocation, NAME)
}

fn claim(count: &str) -> IPAllocation {
    let spec = IPAllocationSpec {
        address: "192.0.2.10".to_owned(),
        sharing_key: Some(count.to_owned()),
        ..IPAllocationSpec::default()
    };
    IPAllocation::new(NAME, spec)
}

fn at_version(mut claim: IPAllocation, version: &str) -> IPAllocation {
    claim.metadata.resource_version = Some(version.to_owned());
    claim
}

fn uid(claim: &IPAllocation) -> Uid {
    let uid = claim
        .metadata
        .uid
        .as_deref()
        .expect("a stored claim has one");
    uid.parse().expect("a uid is any text")
}

fn version(claim: &IPAllocation) -> ResourceVersion {
    let version = claim
        .metadata
        .resource_version
        .as_deref()
        .expect("a stored claim has one");
    version.parse().expect("a version is any text")
}
