//! What is said of a server that does not show what it is asked for: each by its own name.

use super::*;
use crate::source::{Definer, ReadError, WatchEnd};

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

#[tokio::test(start_paused = true)]
async fn a_reader_that_dies_is_named_and_its_successor_misses_nothing() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    fake.apply(&service("b", 80));
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("both", |seen| seen.synced == 1).await;
    fake.inject(On::kind("services").times(3), Fault::Panic);
    fake.cut(Some("services"), Cut::Break);
    let stopped = |problem: &SourceProblem| {
        problem.reason() == "ReaderStopped" && problem.field.as_deref() == Some("services")
    };
    named(&cluster, "its death", stopped).await;
    fake.delete(&object(Kind::Service, "a"));
    fake.apply(&service("c", 80));
    seen.until("the third", |seen| seen.names() == ["b", "c"])
        .await;
    seen.during(LIMIT).await;
    assert_eq!(seen.deleted, [object(Kind::Service, "a")]);
    no_problem(&cluster).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_secrets_that_dies_takes_none_away() {
    let fake = FakeApi::new();
    fake.apply(&peer_with_password("locked"));
    fake.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "data": {},
        "metadata": {"name": "locked", "namespace": "ringbolt-system"},
    }));
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Secret]);
    seen.until("the Secret", |seen| seen.synced == 1).await;
    assert_eq!(seen.names(), ["locked"]);
    fake.inject(On::kind("secrets").times(2), Fault::Panic);
    named(&cluster, "its death", |problem| {
        problem.reason() == "ReaderStopped"
    })
    .await;
    no_problem(&cluster).await;
    seen.during(LIMIT).await;
    assert_eq!(seen.deleted, []);
}

#[tokio::test(start_paused = true)]
async fn watches_that_never_come_about_are_named_and_keep_nothing_from_coming() {
    let faults = [
        (Fault::Refuse(Refusal::expired()), WatchEnd::Expired),
        (Fault::Refuse(Refusal::bad_request("no")), WatchEnd::Refused),
        (Fault::EmptyAnswer, WatchEnd::Ended),
    ];
    for (fault, how) in faults {
        let fake = FakeApi::new();
        fake.apply(&service("a", 80));
        fake.inject(On::of(Verb::Watch, "services"), fault);
        let cluster = fake.cluster_of(Role::Controller);
        let mut seen = Seen::new(&cluster, &[Kind::Service]);
        let fails = Trouble::WatchFails { how };
        named(&cluster, "the watches", |problem| problem.trouble == fails).await;
        fake.apply(&service("b", 80));
        let asked = |outcome| calls(&cluster, Verb::Watch, "services", outcome);
        seen.during(LIMIT).await;
        if how != WatchEnd::Ended {
            assert_eq!(seen.names(), ["a", "b"]);
        }
        assert_eq!(
            cluster.problems().borrow().len(),
            1,
            "it does not come and go"
        );
        let outcomes = [CallOutcome::Gone, CallOutcome::Invalid, CallOutcome::Ok];
        let asked: u64 = outcomes.into_iter().map(asked).sum();
        assert!((3..60).contains(&asked), "{how:?}: {asked} watches");
        fake.heal();
        fake.apply(&service("c", 80));
        seen.until("the third", |seen| seen.objects.len() == 3)
            .await;
        no_problem(&cluster).await;
        assert_eq!(seen.deleted, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_must_not_say_who_it_is_is_named() {
    let fake = FakeApi::new();
    let forbidden = Fault::Refuse(Refusal::forbidden());
    fake.inject(On::of(Verb::List, "namespaces"), forbidden);
    let cluster = fake.cluster_of(Role::Controller);
    named(&cluster, "the refusal", |problem| {
        let name = problem.object.as_ref().map(|object| &*object.name);
        name == Some("kube-system") && problem.reason() == "Forbidden"
    })
    .await;
    fake.heal();
    no_problem(&cluster).await;
    assert!(cluster.identity().borrow().is_some());
}

fn kubeconfig(server: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: k, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: u, user: {{token: {token}}}}}]\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n"
    )
}

#[tokio::test(start_paused = true)]
async fn credentials_that_change_on_disk_are_used_and_another_server_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let write = |server: &str, token: &str| {
        std::fs::write(&file, kubeconfig(server, token)).unwrap();
    };
    write("http://127.0.0.1:1", "first");
    let mut options = KubernetesOptions::new(Role::Controller);
    options.kubeconfig = Some(file.clone());
    let kubernetes = Kubernetes::start(options);
    let mut link = kubernetes.api.link.clone();
    assert!(timeout(LIMIT, link.wait_for(Option::is_some)).await.is_ok());
    assert!(
        timeout(LIMIT, link.changed()).await.is_err(),
        "nothing has changed"
    );
    write("http://127.0.0.1:1", "second");
    assert!(timeout(LIMIT, link.changed()).await.is_ok());
    let mut problems = kubernetes.problems();
    for text in [kubeconfig("http://127.0.0.2:1", "third"), "half".to_owned()] {
        std::fs::write(&file, text).unwrap();
        let such = |problem: &SourceProblem| problem.reason() == "ConfigurationNotUsed";
        let named = problems.wait_for(|problems| problems.iter().any(such));
        assert!(timeout(LIMIT, named).await.is_ok());
        assert!(!link.has_changed().unwrap());
        write("http://127.0.0.1:1", "second");
        let clean = problems.wait_for(|problems| !problems.iter().any(such));
        assert!(timeout(LIMIT, clean).await.is_ok());
        link.mark_unchanged();
    }
}
