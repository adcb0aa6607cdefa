//! What is said of a server that does not show what it is asked for: each by its own name.

use super::*;
use crate::source::{Definer, ReadError};

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_server_does_not_have_is_no_server_that_is_away() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    let missing = Fault::Refuse(Refusal::not_found("/apis/ringbolt.io/v1beta1/bgppeers"));
    fake.inject(On::kind("bgppeers"), missing.clone());
    fake.inject(On::kind("endpointslices"), missing);
    let cluster = fake.cluster_of(Role::Reader);
    let listing = cluster.read_all().await.expect("a listing of the others");
    assert!(
        listing
            .objects
            .iter()
            .any(|object| object.object_ref() == super::object(Kind::Service, "a"))
    );
    let said: Vec<_> = listing
        .problems
        .iter()
        .map(|problem| (problem.field.as_deref(), &problem.trouble))
        .collect();
    let definer = |definer| Trouble::NotServed { definer };
    assert_eq!(
        said,
        [
            (Some("bgppeers"), &definer(Definer::Ringbolt)),
            (Some("endpointslices"), &definer(Definer::Kubernetes)),
        ]
    );
    assert!(listing.problems[0].to_string().contains("ringbolt crds"));
    fake.heal();
    no_problem(&cluster).await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_for_which_the_server_has_no_answer_is_named_and_not_waited_for() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    let broken = Fault::Refuse(Refusal::unavailable());
    fake.inject(On::kind("endpointslices"), broken);
    let cluster = fake.cluster_of(Role::Reader);
    let listing = cluster.read_all().await.expect("a listing of the others");
    let [problem] = &*listing.problems else {
        panic!("one problem, and not {:?}", listing.problems);
    };
    assert_eq!(problem.reason(), "NoUsableAnswer");
    assert_eq!(problem.field.as_deref(), Some("endpointslices"));
    assert!(problem.to_string().contains("503"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shows_nothing_is_no_empty_cluster() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    fake.inject(On::all(), Fault::Refuse(Refusal::forbidden()));
    let cluster = fake.cluster_of(Role::Reader);
    let answer = cluster.read_all().await;
    let Err(ReadError::NothingShown { message }) = answer else {
        panic!("{answer:?}");
    };
    assert!(message.contains("403"), "{message}");
}
