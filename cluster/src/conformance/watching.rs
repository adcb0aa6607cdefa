//! Checks of what a watch says, and in which order.

use ringbolt_config::{Kind, Object};

use super::{Ground, Seen, node, pool, reference, service};

/// Objects before `Synced`, one `Synced` per kind.
pub async fn a_watch_begins_with_what_exists_and_says_when_that_is_all(ground: &impl Ground) {
    ground.apply(&service("web", 80)).await;
    ground.apply(&pool("public", "192.0.2.0/24")).await;
    let mut seen = Seen::new(&ground.controller(), &[Kind::Service, Kind::IPAddressPool]);
    seen.until("both kinds", |seen| seen.synced.len() == 2)
        .await;
    assert!(
        seen.object(Kind::Service, "web").is_some(),
        "{:?}",
        seen.history
    );
    assert!(
        seen.object(Kind::IPAddressPool, "public").is_some(),
        "{:?}",
        seen.history
    );
}

/// A change after `Synced` is an `Apply`.
pub async fn an_object_that_comes_later_arrives(ground: &impl Ground) {
    let mut seen = Seen::new(&ground.controller(), &[Kind::Service]);
    seen.until("an empty place", |seen| {
        seen.synced.contains(&Kind::Service)
    })
    .await;
    ground.apply(&service("web", 80)).await;
    seen.until("the Service", |seen| {
        seen.object(Kind::Service, "web").is_some()
    })
    .await;
    ground.apply(&service("web", 81)).await;
    seen.until("its change", |seen| port(seen, "web") == Some(81))
        .await;
}

/// Other kinds are not delivered.
pub async fn a_watch_hears_of_its_kinds_alone(ground: &impl Ground) {
    ground.apply(&pool("public", "192.0.2.0/24")).await;
    let mut seen = Seen::new(&ground.controller(), &[Kind::Service]);
    ground.apply(&node("node-1")).await;
    ground.apply(&service("web", 80)).await;
    seen.until("the Service", |seen| {
        seen.object(Kind::Service, "web").is_some()
    })
    .await;
    assert_eq!(seen.objects.len(), 1, "{:?}", seen.history);
}

/// Writing the same object again is no change.
pub async fn an_object_that_did_not_change_is_not_delivered_again(ground: &impl Ground) {
    ground.apply(&pool("public", "192.0.2.0/24")).await;
    let mut seen = Seen::new(&ground.speaker(), &[Kind::IPAddressPool]);
    seen.until("the pool", |seen| {
        seen.object(Kind::IPAddressPool, "public").is_some()
    })
    .await;
    let before = seen.changes_of(Kind::IPAddressPool, "public");
    ground.apply(&pool("public", "192.0.2.0/24")).await;
    ground.apply(&pool("other", "198.51.100.0/24")).await;
    seen.until("the other", |seen| {
        seen.object(Kind::IPAddressPool, "other").is_some()
    })
    .await;
    assert_eq!(
        seen.changes_of(Kind::IPAddressPool, "public"),
        before,
        "{:?}",
        seen.history
    );
}

/// An object without a finalizer vanishes when it is deleted.
pub async fn a_deleted_object_is_deleted(ground: &impl Ground) {
    ground.apply(&pool("public", "192.0.2.0/24")).await;
    ground.apply(&service("web", 80)).await;
    let mut seen = Seen::new(&ground.controller(), &[Kind::IPAddressPool, Kind::Service]);
    seen.until("both", |seen| seen.objects.len() == 2).await;
    ground
        .delete(&reference(Kind::IPAddressPool, "public"))
        .await;
    ground.delete(&reference(Kind::Service, "web")).await;
    seen.until("nothing", |seen| seen.objects.is_empty()).await;
}

/// What came and went, or changed many times, between two calls is one difference at most.
pub async fn a_slow_consumer_finds_the_newest_state(ground: &impl Ground) {
    const VERSIONS: u16 = 5;
    let cluster = ground.controller();
    let mut slow = Seen::new(&cluster, &[Kind::Service]);
    let mut quick = Seen::new(&cluster, &[Kind::Service]);
    for version in 1..=VERSIONS {
        ground.apply(&service("web", version)).await;
        quick
            .until("each version", |seen| port(seen, "web") == Some(version))
            .await;
    }
    slow.until("the newest", |seen| port(seen, "web") == Some(VERSIONS))
        .await;
    assert_eq!(
        slow.changes_of(Kind::Service, "web"),
        1,
        "{:?}",
        slow.history
    );
    assert!(
        quick.changes_of(Kind::Service, "web") >= usize::from(VERSIONS),
        "{:?}",
        quick.history
    );
}

/// Watches of other processes, and later ones, see the same.
pub async fn every_watch_hears_of_a_change(ground: &impl Ground) {
    let (controller, speaker) = (ground.controller(), ground.speaker());
    let mut seen = [
        Seen::new(&controller, &[Kind::Node]),
        Seen::new(&controller, &[Kind::Node]),
        Seen::new(&speaker, &[Kind::Node]),
    ];
    ground.apply(&node("node-1")).await;
    for seen in &mut seen {
        seen.until("the node", |seen| {
            seen.object(Kind::Node, "node-1").is_some()
        })
        .await;
    }
    let mut later = Seen::new(&speaker, &[Kind::Node]);
    later
        .until("the node", |seen| {
            seen.object(Kind::Node, "node-1").is_some()
        })
        .await;
}

/// The first port of a Service.
fn port(seen: &Seen, name: &str) -> Option<u16> {
    match seen.object(Kind::Service, name)? {
        Object::Service(view) => view.ports.first().map(|port| port.port),
        _ => None,
    }
}
