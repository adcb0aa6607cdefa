//! Candidates on one lease: nobody works on a lease that names another, or longer than it is good for.

use super::*;
use crate::source::Leadership;

/// The lease is good for this long without being renewed.
const TTL: Duration = Duration::from_secs(15);
/// Candidates look this often.
const TICK: Duration = Duration::from_secs(5);

async fn leads(cluster: &Cluster) -> Leadership {
    timeout(LIMIT, cluster.lead())
        .await
        .expect("nobody else leads")
}

/// Waits for the end of a right; how long that took.
async fn lost(leadership: &Leadership) -> Duration {
    let began = Instant::now();
    timeout(LIMIT, leadership.lost()).await.expect("it ends");
    began.elapsed()
}

/// Somebody else writes the lease.
fn lease(fake: &FakeApi, spec: &Value) {
    fake.apply(&json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "ringbolt-controller", "namespace": "ringbolt-system"},
        "spec": spec,
    }));
}

fn held_by_another() -> Value {
    json!({
        "holderIdentity": "another", "leaseDurationSeconds": 15, "leaseTransitions": 0,
        "acquireTime": format!("{:.6}", jiff::Timestamp::now()),
        "renewTime": format!("{:.6}", jiff::Timestamp::now()),
    })
}

#[tokio::test(start_paused = true)]
async fn the_first_write_waits_until_the_lease_was_seen_twice() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let began = Instant::now();
    let leadership = leads(&cluster).await;
    assert!(began.elapsed() >= TICK && began.elapsed() < TICK + s(1));
    assert!(!leadership.is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_leader_keeps_the_lease_for_as_long_as_it_renews_it() {
    let fake = FakeApi::new();
    let (one, two) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    let leadership = leads(&one).await;
    let other = timeout(s(3_600), two.lead()).await;
    assert!(other.is_err(), "two lead");
    assert!(!leadership.is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_is_taken_after_its_time() {
    let fake = FakeApi::new();
    lease(&fake, &held_by_another());
    let cluster = fake.cluster_of(Role::Controller);
    let began = Instant::now();
    let _leadership = leads(&cluster).await;
    assert!(began.elapsed() >= TTL, "{:?}", began.elapsed());
    assert!(began.elapsed() <= TTL + 3 * TICK, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_clock_is_ahead_does_not_hold_the_lease_for_longer() {
    let fake = FakeApi::new();
    let mut ahead = held_by_another();
    let time = jiff::Timestamp::now() + s(3_600);
    ahead["renewTime"] = format!("{time:.6}").into();
    lease(&fake, &ahead);
    let cluster = fake.cluster_of(Role::Controller);
    let began = Instant::now();
    let _leadership = leads(&cluster).await;
    assert!(began.elapsed() >= TTL, "{:?}", began.elapsed());
    assert!(began.elapsed() <= s(35), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_given_back_in_order_is_taken_soon() {
    let fake = FakeApi::new();
    let (one, two) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    leads(&one).await.step_down().await;
    let began = Instant::now();
    let _leadership = leads(&two).await;
    assert!(began.elapsed() < 2 * TICK + s(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_others_may_begin() {
    for fault in [
        Fault::Hang,
        Fault::LoseAnswer,
        Fault::Refuse(Refusal::unavailable()),
    ] {
        let fake = FakeApi::new();
        let cluster = fake.cluster_of(Role::Controller);
        let leadership = leads(&cluster).await;
        fake.inject(On::kind("leases"), fault);
        let worked = lost(&leadership).await;
        assert!(worked > TICK && worked <= TTL - s(3), "{worked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_another_holds_stops_at_the_next_look() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let leadership = leads(&cluster).await;
    lease(&fake, &held_by_another());
    assert!(lost(&leadership).await < TICK + s(1));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_renews_another_ones_lease_stops() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let leadership = leads(&cluster).await;
    // It has read its own name, and before it writes the lease is taken.
    let stall = fake.stall(On::of(Verb::Patch, "leases"));
    stall.holds(1).await;
    lease(&fake, &held_by_another());
    drop(stall);
    let worked = lost(&leadership).await;
    assert!(worked <= s(1), "{worked:?}");
    let holder = &fake.objects("leases")[0]["spec"]["holderIdentity"];
    assert_eq!(holder, "another");
}

#[tokio::test(start_paused = true)]
async fn of_two_that_take_an_expired_lease_one_works() {
    let fake = FakeApi::new();
    let mut expired = held_by_another();
    expired["renewTime"] = "2024-01-01T00:00:00.000000Z".into();
    lease(&fake, &expired);
    let stall = fake.stall(On::of(Verb::Patch, "leases"));
    let (one, two) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    let both = [one, two].map(|cluster| {
        tokio::spawn(async move {
            let leadership = timeout(s(120), cluster.lead()).await.ok();
            // Whoever leads goes on while the other is still looking.
            tokio::time::sleep(s(120)).await;
            leadership.is_some_and(|leadership| !leadership.is_lost())
        })
    });
    stall.holds(2).await;
    drop(stall);
    let mut working = 0;
    for candidate in both {
        working += usize::from(candidate.await.unwrap());
    }
    assert_eq!(working, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_person_made_is_completed() {
    for spec in [
        json!({}),
        json!({"holderIdentity": "somebody"}),
        json!({"leaseDurationSeconds": 1}),
    ] {
        let fake = FakeApi::new();
        lease(&fake, &spec);
        let cluster = fake.cluster_of(Role::Controller);
        let _leadership = leads(&cluster).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_must_not_be_touched_keeps_a_candidate_waiting() {
    let fake = FakeApi::new();
    fake.inject(On::kind("leases"), Fault::Refuse(Refusal::forbidden()));
    let cluster = fake.cluster_of(Role::Controller);
    assert!(timeout(LIMIT, cluster.lead()).await.is_err());
    fake.heal();
    let _leadership = leads(&cluster).await;
}

/// Waits for the end of a controller's work; who works still, and whom it said it waits for.
async fn waited(cluster: &Cluster) -> (Option<String>, Vec<String>) {
    let mut told = Vec::new();
    let seen = |who: &str| told.push(who.to_owned());
    let still = cluster.wait_for_no_leader(s(30), seen).await;
    (still.expect("the lease can be read"), told)
}

#[tokio::test(start_paused = true)]
async fn a_command_sees_a_controller_at_work_and_its_orderly_end() {
    let fake = FakeApi::new();
    let (cluster, person) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Reader),
    );
    let began = Instant::now();
    assert_eq!(waited(&person).await, (None, vec![]), "no lease at all");
    let leadership = leads(&cluster).await;
    let (still, told) = waited(&person).await;
    assert_eq!(told, [still.expect("it renews")]);
    let ends = async {
        tokio::time::sleep(s(3)).await;
        leadership.step_down().await;
    };
    let before = began.elapsed();
    let ((still, told), ()) = tokio::join!(waited(&person), ends);
    assert_eq!((still, told.len()), (None, 1));
    assert!(began.elapsed() - before <= s(9));
}

#[tokio::test(start_paused = true)]
async fn a_command_does_not_wait_for_a_dead_controller() {
    let fake = FakeApi::new();
    lease(&fake, &held_by_another());
    let began = Instant::now();
    let (still, told) = waited(&fake.cluster_of(Role::Reader)).await;
    assert_eq!((still, told), (None, vec!["another".to_owned()]));
    assert!(began.elapsed() >= TTL && began.elapsed() < TTL + s(3));
}

/// Two replicas of a Deployment that is rolled out: the lease names nobody for a moment.
#[tokio::test(start_paused = true)]
async fn a_command_takes_a_hand_over_for_no_end() {
    let fake = FakeApi::new();
    let (one, two) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    let first = leads(&one).await;
    let hands_over = async {
        first.step_down().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        leads(&two).await
    };
    let person = fake.cluster_of(Role::Reader);
    let ((still, _), _second) = tokio::join!(waited(&person), hands_over);
    assert!(still.is_some(), "the second one leads");
}

#[tokio::test(start_paused = true)]
async fn a_follower_leads_within_three_seconds_of_an_orderly_end() {
    let fake = FakeApi::new();
    let (one, two) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    let leadership = leads(&one).await;
    let began = Instant::now();
    let follower = tokio::spawn(async move {
        let leadership = leads(&two).await;
        (Instant::now(), leadership)
    });
    tokio::time::sleep(s(20)).await;
    leadership.step_down().await;
    let ended = Instant::now();
    let (led, _leadership) = follower.await.unwrap();
    assert!(led - ended <= s(3), "{:?}", led - ended);
    assert!(ended - began >= s(20));
    let spec = fake.objects("leases")[0]["spec"].clone();
    assert_eq!(spec["leaseDurationSeconds"], 15);
    assert_eq!(spec["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn of_many_followers_one_takes_a_lease_that_is_given_back() {
    let fake = FakeApi::new();
    let first = fake.cluster_of(Role::Controller);
    let leadership = leads(&first).await;
    let followers = [(); 5].map(|()| {
        let cluster = fake.cluster_of(Role::Controller);
        tokio::spawn(async move {
            let leadership = timeout(s(60), cluster.lead()).await.ok();
            tokio::time::sleep(s(60)).await;
            leadership.is_some_and(|leadership| !leadership.is_lost())
        })
    });
    tokio::time::sleep(s(10)).await;
    leadership.step_down().await;
    let mut working = 0;
    for follower in followers {
        working += usize::from(follower.await.unwrap());
    }
    assert_eq!(working, 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_steps_down_late_does_not_give_back_another_ones_lease() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let leadership = leads(&cluster).await;
    // It has read its own name, and before it writes the lease is taken.
    let stall = fake.stall(On::of(Verb::Patch, "leases").times(1));
    let ends = tokio::spawn(leadership.step_down());
    stall.holds(1).await;
    lease(&fake, &held_by_another());
    drop(stall);
    ends.await.unwrap();
    assert_eq!(
        calls(&cluster, Verb::Patch, "leases", CallOutcome::Conflict),
        1
    );
    let holder = &fake.objects("leases")[0]["spec"]["holderIdentity"];
    assert_eq!(holder, "another");
}

#[tokio::test(start_paused = true)]
async fn what_the_lease_is_refused_for_is_counted_by_its_name() {
    let fake = FakeApi::new();
    let refusals = [
        (
            On::of(Verb::Get, "leases"),
            Verb::Get,
            Refusal::forbidden(),
            CallOutcome::Forbidden,
        ),
        (
            On::of(Verb::Create, "leases"),
            Verb::Create,
            Refusal::unavailable(),
            CallOutcome::Unavailable,
        ),
    ];
    for (on, verb, refusal, outcome) in refusals {
        fake.inject(on, Fault::Refuse(refusal));
        let cluster = fake.cluster_of(Role::Controller);
        assert!(timeout(s(1), cluster.lead()).await.is_err());
        assert_eq!(calls(&cluster, verb, "leases", outcome), 1);
        fake.heal();
    }
    fake.inject(On::kind("leases"), Fault::Hang);
    let cluster = fake.cluster_of(Role::Controller);
    assert!(timeout(s(5), cluster.lead()).await.is_err());
    assert_eq!(
        calls(&cluster, Verb::Get, "leases", CallOutcome::Timeout),
        1
    );
}
