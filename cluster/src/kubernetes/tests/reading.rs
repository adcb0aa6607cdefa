//! A watch through everything that can befall list and watch: nothing is withdrawn because of it, and
//! nothing is missed.

use super::*;

/// A server with two Services, and a controller that has seen both.
async fn two_services() -> (FakeApi, Cluster, Seen) {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    fake.apply(&service("b", 80));
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("both", |seen| seen.synced == 1).await;
    assert_eq!(seen.names(), ["a", "b"]);
    // By then there is a watch that can be cut.
    seen.during(s(10)).await;
    (fake, cluster, seen)
}

/// A third Service arrives, and the two are still there.
async fn nothing_is_lost(fake: &FakeApi, seen: &mut Seen) {
    fake.apply(&service("c", 80));
    seen.until("the third", |seen| seen.objects.len() == 3)
        .await;
    seen.during(LIMIT).await;
    assert_eq!(
        (seen.names(), &*seen.deleted),
        (vec!["a", "b", "c"], &[][..])
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_refused_as_too_old_begins_with_a_new_list() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    fake.apply(&service("b", 80));
    let refused = Fault::Refuse(Refusal::expired());
    fake.inject(On::of(Verb::Watch, "services").times(3), refused);
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    nothing_is_lost(&fake, &mut seen).await;
    assert_eq!(
        calls(&cluster, Verb::Watch, "services", CallOutcome::Gone),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_told_in_the_stream_that_it_is_too_old_begins_with_a_new_list() {
    let (fake, _cluster, mut seen) = two_services().await;
    fake.compact();
    fake.cut(None, Cut::Expire);
    nothing_is_lost(&fake, &mut seen).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_or_ends_goes_on_where_it_was() {
    let (fake, cluster, mut seen) = two_services().await;
    let before = cluster.calls();
    for cut in [Cut::Break, Cut::End] {
        fake.cut(Some("services"), cut);
        fake.apply(&service("a", 81));
        fake.delete(&object(Kind::Service, "a"));
        fake.apply(&service("a", 82));
        seen.until("the deletion", |seen| !seen.deleted.is_empty())
            .await;
        seen.deleted.clear();
        seen.during(s(10)).await;
    }
    nothing_is_lost(&fake, &mut seen).await;
    let opened = (Verb::Watch, "services", CallOutcome::Ok);
    assert!(cluster.calls()[&opened] >= before.get(&opened).copied().unwrap_or_default() + 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_silent_is_opened_again() {
    let (fake, _cluster, mut seen) = two_services().await;
    fake.cut(Some("services"), Cut::Freeze);
    nothing_is_lost(&fake, &mut seen).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_off_takes_nothing_away() {
    let (fake, _cluster, mut seen) = two_services().await;
    fake.inject(On::of(Verb::List, "services").times(2), Fault::BreakOff);
    fake.compact();
    fake.cut(Some("services"), Cut::Expire);
    nothing_is_lost(&fake, &mut seen).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_second_page_is_not_to_be_had_begins_anew() {
    const MANY: usize = 1_100;
    let fake = FakeApi::new();
    for number in 0..MANY {
        fake.apply(&service(&format!("service-{number}"), 80));
    }
    let expired = Fault::Refuse(Refusal::expired());
    fake.inject(On::of(Verb::List, "services").after(1).times(1), expired);
    fake.inject(
        On::of(Verb::List, "services").after(3).times(1),
        Fault::BreakOff,
    );
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("the end of the list", |seen| seen.synced == 1)
        .await;
    assert_eq!((seen.objects.len(), seen.deleted.len()), (MANY, 0));
    assert_eq!(
        calls(&cluster, Verb::List, "services", CallOutcome::Gone),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_not_believed_before_it_is_seen_twice() {
    let (fake, _cluster, mut seen) = two_services().await;
    fake.inject(On::of(Verb::List, "services").times(1), Fault::EmptyList);
    fake.compact();
    fake.cut(Some("services"), Cut::Expire);
    nothing_is_lost(&fake, &mut seen).await;
    fake.inject(On::of(Verb::List, "services").times(2), Fault::EmptyList);
    fake.compact();
    fake.cut(Some("services"), Cut::Expire);
    seen.until("nothing", |seen| seen.objects.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_of_the_past_takes_nothing_away() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    let then = fake.checkpoint();
    fake.apply(&service("b", 80));
    let cluster = fake.cluster_of(Role::Speaker);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("both", |seen| seen.synced == 1).await;
    fake.inject(On::of(Verb::List, "services").times(1), Fault::AsOf(then));
    fake.cut(Some("services"), Cut::Expire);
    nothing_is_lost(&fake, &mut seen).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_put_back_to_an_older_state_is_followed_from_there() {
    let (fake, _cluster, mut seen) = two_services().await;
    let backup = fake.checkpoint();
    for number in 0..20 {
        fake.apply(&service(&format!("later-{number}"), 80));
    }
    seen.until("the later ones", |seen| seen.objects.len() == 22)
        .await;
    fake.restore(&backup);
    seen.until("their end", |seen| seen.objects.len() == 2)
        .await;
    assert_eq!(seen.names(), ["a", "b"]);
    seen.deleted.clear();
    nothing_is_lost(&fake, &mut seen).await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_must_not_be_read_is_named_and_keeps_no_other_from_coming() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    let forbidden = Fault::Refuse(Refusal::forbidden());
    fake.inject(On::of(Verb::List, "bgppeers"), forbidden);
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service, Kind::BGPPeer]);
    seen.until("the Service", |seen| seen.objects.len() == 1)
        .await;
    let forbidden = |problem: &SourceProblem| {
        let list = Verb::List;
        matches!(problem.trouble, Trouble::Forbidden { verb, .. } if verb == list)
    };
    named(&cluster, "the refusal", forbidden).await;
    fake.heal();
    seen.until("the other kind", |seen| seen.synced == 2).await;
    no_problem(&cluster).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_changes_nothing_until_it_answers() {
    let (fake, cluster, mut seen) = two_services().await;
    fake.inject(On::all(), Fault::Hang);
    fake.cut(None, Cut::Freeze);
    let unreachable =
        |problem: &SourceProblem| matches!(problem.trouble, Trouble::Unreachable { .. });
    named(&cluster, "the silence", unreachable).await;
    seen.during(s(600)).await;
    assert_eq!((seen.names(), seen.deleted.len()), (vec!["a", "b"], 0));
    fake.heal();
    nothing_is_lost(&fake, &mut seen).await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_read_is_no_problem_when_nobody_names_it() {
    let fake = FakeApi::new();
    fake.apply(&peer_with_password("locked"));
    fake.inject(On::of(Verb::Get, "secrets"), Fault::LoseAnswer);
    let cluster = fake.cluster_of(Role::Controller);
    let _watch = cluster.watch(&[Kind::Secret]);
    named(&cluster, "the Secret", |_| true).await;
    fake.delete(&object(Kind::BGPPeer, "a"));
    no_problem(&cluster).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_comes_slowly_is_read_to_its_end() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    let slow = Fault::Trickle(20, s(2));
    fake.inject(On::of(Verb::List, "services"), slow);
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("the list", |seen| seen.synced == 1).await;
    assert_eq!(seen.names(), ["a"]);
    let lists = |outcome| calls(&cluster, Verb::List, "services", outcome);
    assert_eq!(
        (lists(CallOutcome::Ok), cluster.problems().borrow().len()),
        (1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stops_in_the_middle_is_asked_for_again() {
    let (fake, cluster, mut seen) = two_services().await;
    let stops = Fault::Trickle(3, s(30));
    fake.inject(On::of(Verb::List, "services").times(1), stops);
    fake.compact();
    fake.cut(Some("services"), Cut::Expire);
    nothing_is_lost(&fake, &mut seen).await;
    let timeouts = calls(&cluster, Verb::List, "services", CallOutcome::Timeout);
    assert_eq!(timeouts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_never_ends_is_given_up() {
    let fake = FakeApi::new();
    fake.inject(On::of(Verb::List, "services"), Fault::Trickle(10_000, s(1)));
    let cluster = fake.cluster_of(Role::Controller);
    let _watch = cluster.watch(&[Kind::Service]);
    let began = Instant::now();
    named(&cluster, "the endless list", |problem| {
        problem.reason() == "Unreachable"
    })
    .await;
    assert!(began.elapsed() <= s(62), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_list_takes_nothing_away() {
    let (fake, cluster, mut seen) = two_services().await;
    fake.inject(On::of(Verb::List, "services"), Fault::EmptyAnswer);
    fake.compact();
    fake.cut(Some("services"), Cut::Expire);
    named(&cluster, "the answer", |problem| {
        problem.reason() == "NoUsableAnswer"
    })
    .await;
    seen.during(LIMIT).await;
    fake.heal();
    nothing_is_lost(&fake, &mut seen).await;
    no_problem(&cluster).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_asked_to_come_again_later_does() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    let later = Fault::Refuse(Refusal::too_many_requests(30));
    fake.inject(On::of(Verb::Watch, "services").times(1), later);
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.during(s(29)).await;
    let watches = |outcome| calls(&cluster, Verb::Watch, "services", outcome);
    assert_eq!(watches(CallOutcome::Throttled), 1);
    assert_eq!(watches(CallOutcome::Ok), 0);
    fake.apply(&service("b", 80));
    seen.until("the other", |seen| seen.objects.len() == 2)
        .await;
    assert_eq!(watches(CallOutcome::Throttled), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_select_by_type_is_asked_for_all_services() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    let mut internal = service("internal", 80);
    internal["spec"]["type"] = json!("ClusterIP");
    fake.apply(&internal);
    fake.inject(On::kind("services"), Fault::NoFieldsOfSpec);
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("the list", |seen| seen.synced == 1).await;
    assert_eq!(seen.names(), ["a"]);
    seen.during(s(10)).await;
    fake.apply(&service("internal", 80));
    seen.until("one that becomes of interest", |seen| {
        seen.objects.len() == 2
    })
    .await;
    fake.apply(&internal);
    seen.until("one that ceases to be", |seen| seen.objects.len() == 1)
        .await;
    assert_eq!(seen.names(), ["a"]);
    let refused = |verb| calls(&cluster, verb, "services", CallOutcome::Invalid);
    let (lists, watches) = (refused(Verb::List), refused(Verb::Watch));
    assert_eq!((lists, watches), (1, 0), "the selector is tried once");
    no_problem(&cluster).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_asked_to_come_again_much_later_does() {
    let fake = FakeApi::new();
    let later = Fault::Refuse(Refusal::too_many_requests(45));
    fake.inject(On::of(Verb::List, "services").times(1), later);
    let cluster = fake.cluster_of(Role::Controller);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.during(s(44)).await;
    assert_eq!(
        cluster.calls().values().sum::<u64>(),
        2,
        "{:?}",
        cluster.calls()
    );
    seen.until("the list", |seen| seen.synced == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_comes_late_delays_nothing() {
    let fake = FakeApi::new();
    fake.apply(&service("a", 80));
    let (tell, link) = watch::channel(None);
    let options = KubernetesOptions::new(Role::Controller);
    let kubernetes = Kubernetes::begin(Api::new(options, link));
    let mut services = kubernetes.subscribe(&[Kind::Service]);
    assert!(timeout(LIMIT, services.next()).await.is_err());
    let began = Instant::now();
    tell.send_replace(Some(Link {
        client: fake.client(),
        namespace: "ringbolt-system".into(),
        server: "".into(),
    }));
    let changes = timeout(LIMIT, services.next()).await;
    assert!(matches!(changes.as_deref(), Ok([Change::Apply(_), ..])));
    assert!(began.elapsed() < s(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn speakers_that_begin_together_do_not_all_ask_at_once() {
    const SPEAKERS: usize = 40;
    let fake = FakeApi::new();
    let stall = fake.stall(On::kind("services"));
    let clusters: Vec<_> = std::iter::repeat_with(|| fake.cluster_of(Role::Speaker))
        .take(SPEAKERS)
        .collect();
    let _watches: Vec<_> = clusters
        .iter()
        .map(|cluster| cluster.watch(&[Kind::Service]))
        .collect();
    stall.holds(1).await;
    let first = Instant::now();
    stall.holds(SPEAKERS).await;
    let spread = first.elapsed();
    let expected = Duration::from_millis(100)..Duration::from_millis(500);
    assert!(expected.contains(&spread), "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_for_a_moment_after_it_was_away_is_followed_again_soon() {
    let (fake, cluster, mut seen) = two_services().await;
    fake.inject(On::all(), Fault::Hang);
    fake.cut(None, Cut::Break);
    seen.during(s(120)).await;
    fake.heal();
    let refused = Fault::Refuse(Refusal::forbidden());
    fake.inject(On::all(), refused);
    named(&cluster, "the refusal", |problem| {
        problem.reason() == "Forbidden" && problem.field.as_deref() == Some("services")
    })
    .await;
    fake.heal();
    fake.apply(&service("c", 80));
    let began = Instant::now();
    seen.until("the third", |seen| seen.objects.len() == 3)
        .await;
    assert!(began.elapsed() < s(3), "{:?}", began.elapsed());
    assert_eq!(seen.deleted, []);
}
