//! List and watch as values: what is asked and told after each answer.

use ringbolt_config::Kind;

use super::*;

fn name(name: &str) -> ObjectRef {
    ObjectRef::new(Kind::Namespace, None, name).unwrap()
}

fn item(text: &str) -> Item {
    let value = serde_json::json!({"metadata": {"name": text}});
    let object = ringbolt_config::object::decode(Kind::Namespace, value).unwrap();
    Item {
        name: name(text),
        object: Some(object),
    }
}

fn page(names: &[&str], version: &str, token: Option<&str>) -> Page {
    Page {
        items: names.iter().map(|name| item(name)).collect(),
        version: version.to_owned(),
        token: token.map(str::to_owned),
    }
}

/// How long watches are asked to last.
const LASTS: Duration = Duration::from_secs(290);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn fresh() -> Reflector {
    Reflector::new(Freshness::Cached, s(600), 7, BTreeSet::new())
}

/// A reflector that watches from version 10 and knows these.
fn watching(names: &[&str]) -> Reflector {
    let mut reflector = fresh();
    reflector.page(page(names, "10", None), s(0));
    reflector.watch_opened(s(0), LASTS);
    reflector.told();
    reflector
}

fn told(reflector: &mut Reflector) -> Vec<String> {
    let line = |told| match told {
        Told::Exists(object) => format!("+{}", object.object_ref().name),
        Told::Gone(name) => format!("-{}", name.name),
        Told::Complete => "complete".to_owned(),
    };
    reflector.told().into_iter().map(line).collect()
}

fn quorum_list(token: Option<&str>) -> Ask {
    Ask::List {
        freshness: Freshness::Quorum,
        token: token.map(str::to_owned),
    }
}

fn watch(version: &str) -> Ask {
    Ask::Watch {
        version: version.to_owned(),
    }
}

#[test]
fn a_list_of_several_pages_is_complete_with_the_last_one() {
    let mut reflector = fresh();
    reflector.page(page(&["a"], "10", Some("t")), s(0));
    assert_eq!(told(&mut reflector), ["+a"]);
    reflector.page(page(&["b"], "10", None), s(0));
    assert_eq!(told(&mut reflector), ["+b", "complete"]);
    assert_eq!(reflector.next().ask, watch("10"));
}

#[test]
fn events_are_told_and_move_the_version() {
    let mut reflector = watching(&["a"]);
    let added = Event::Applied(item("b"), "11".to_owned());
    reflector.event(added);
    let deleted = Event::Deleted(name("a"), "12".to_owned());
    reflector.event(deleted);
    let bookmark = Event::Bookmark("20".to_owned());
    reflector.event(bookmark);
    assert_eq!(told(&mut reflector), ["+b", "-a"]);
    assert_eq!(reflector.next().ask, watch("20"));
}

#[test]
fn a_version_that_is_not_kept_leads_to_a_list_however_that_is_said() {
    let mut reflector = watching(&["a"]);
    reflector.failed(Failure::Expired);
    assert_eq!(reflector.next().ask, quorum_list(None));
    let mut reflector = watching(&["a"]);
    reflector.watch_over(Failure::Expired, s(1));
    assert_eq!(reflector.next().ask, quorum_list(None));
    assert_eq!(told(&mut reflector), Vec::<String>::new());
}

#[test]
fn what_a_list_lacks_is_gone_when_a_second_one_lacks_it_too() {
    let mut reflector = watching(&["a", "b", "c"]);
    reflector.too_old();
    reflector.page(page(&["a"], "30", None), s(2));
    assert_eq!(told(&mut reflector), ["+a"]);
    assert_eq!(reflector.next().ask, quorum_list(None));
    reflector.page(page(&["a", "b"], "31", None), s(3));
    assert_eq!(told(&mut reflector), ["-c"]);
    // The watch brings what came between the two lists in order.
    assert_eq!(reflector.next().ask, watch("30"));
}

#[test]
fn a_second_look_that_fails_changes_nothing() {
    let mut reflector = watching(&["a", "b"]);
    reflector.too_old();
    reflector.page(page(&["a"], "30", None), s(2));
    reflector.told();
    reflector.failed(Failure::Unavailable);
    assert_eq!(told(&mut reflector), Vec::<String>::new());
    // From the start: both looks again.
    reflector.page(page(&["a"], "32", None), s(3));
    reflector.page(page(&["a"], "33", Some("t")), s(3));
    reflector.failed(Failure::Expired);
    assert_eq!(told(&mut reflector), ["+a"]);
}

#[test]
fn an_empty_list_after_a_full_one_is_looked_at_again_after_a_while() {
    let mut reflector = watching(&["a", "b"]);
    reflector.too_old();
    reflector.page(page(&[], "30", None), s(2));
    assert_eq!(reflector.next().after, SECOND_LOOK);
    reflector.page(page(&["a", "b"], "31", None), s(4));
    assert_eq!(told(&mut reflector), Vec::<String>::new());
}

#[test]
fn a_list_that_breaks_after_its_first_page_deletes_nothing() {
    let mut reflector = watching(&["a", "b"]);
    reflector.too_old();
    reflector.page(page(&["c"], "30", Some("t")), s(2));
    reflector.failed(Failure::Expired);
    assert_eq!(told(&mut reflector), ["+c"]);
    assert_eq!(reflector.next().ask, quorum_list(None));
}

#[test]
fn the_first_list_is_held_against_what_a_snapshot_told() {
    let known = BTreeSet::from([name("a"), name("b")]);
    let mut reflector = Reflector::new(Freshness::Cached, s(600), 7, known);
    reflector.page(page(&["a"], "10", None), s(0));
    assert_eq!(told(&mut reflector), ["+a"]);
    reflector.page(page(&["a"], "11", None), s(0));
    assert_eq!(told(&mut reflector), ["-b", "complete"]);
}

#[test]
fn an_object_that_is_not_understood_stays() {
    let mut reflector = watching(&["a"]);
    reflector.too_old();
    let mut list = page(&["a"], "30", None);
    list.items[0].object = None;
    reflector.page(list, s(2));
    assert_eq!(told(&mut reflector), Vec::<String>::new());
    assert_eq!(reflector.next().ask, watch("30"));
}

#[test]
fn a_watch_that_ends_after_its_time_goes_on_at_once() {
    let mut reflector = watching(&[]);
    reflector.watch_over(Failure::Ended, s(290));
    let next = reflector.next();
    assert_eq!(next.ask, watch("10"));
    assert_eq!(next.after, Duration::ZERO);
}

#[test]
fn a_watch_that_breaks_off_is_resumed_when_the_server_has_not_gone_back() {
    let mut reflector = watching(&["a"]);
    reflector.watch_over(Failure::Unavailable, s(100));
    assert_eq!(reflector.next().ask, Ask::Probe);
    reflector.page(page(&["a"], "12", None), s(101));
    assert_eq!(reflector.next().ask, watch("10"));
}

#[test]
fn a_probe_tells_nothing_ahead_of_the_watch_that_follows() {
    let mut reflector = watching(&["a"]);
    reflector.watch_over(Failure::Unavailable, s(100));
    reflector.page(page(&["b"], "12", None), s(101));
    assert_eq!(told(&mut reflector), Vec::<String>::new());
    assert!(!reflector.knows(&name("b")));
}

#[test]
fn a_store_that_has_gone_back_is_listed() {
    for version in ["9", "", "odd"] {
        let mut reflector = watching(&["a"]);
        reflector.watch_over(Failure::Unavailable, s(100));
        reflector.page(page(&[], version, None), s(101));
        assert_eq!(reflector.next().ask, quorum_list(None), "{version}");
        assert_eq!(told(&mut reflector), Vec::<String>::new());
    }
}

/// A store that was restored is written to: until it answers, its version may have passed ours.
#[test]
fn a_server_that_did_not_answer_at_once_is_listed_whatever_its_version() {
    let mut reflector = watching(&["a", "lost"]);
    reflector.watch_over(Failure::Unavailable, s(100));
    assert_eq!(reflector.next().ask, Ask::Probe);
    reflector.failed(Failure::Unavailable);
    assert_eq!(reflector.next().ask, quorum_list(None));
    reflector.page(page(&["a", "new"], "12", None), s(101));
    reflector.page(page(&["a", "new"], "13", None), s(101));
    assert_eq!(told(&mut reflector), ["+a", "+new", "-lost"]);
    assert_eq!(reflector.next().ask, watch("12"));
}

#[test]
fn failures_are_repeated_ever_more_slowly_up_to_a_bound() {
    let mut reflector = fresh();
    let mut pauses = Vec::new();
    for _ in 0..20 {
        reflector.failed(Failure::Unavailable);
        pauses.push(reflector.next().after);
    }
    assert!(pauses[0] <= PAUSE.mul_f64(1.5), "{pauses:?}");
    assert!(pauses[5] > pauses[0], "{pauses:?}");
    assert!(
        pauses
            .iter()
            .all(|pause| *pause <= LONGEST_PAUSE.mul_f64(1.5)),
        "{pauses:?}"
    );
    reflector.page(page(&[], "10", None), s(0));
    assert_eq!(reflector.next().after, Duration::ZERO);
}

#[test]
fn a_watch_that_ends_before_its_time_is_resumed_when_the_server_has_not_gone_back() {
    for lasted in [0, 6, 279] {
        let mut reflector = watching(&["a"]);
        reflector.watch_over(Failure::Ended, s(lasted));
        let next = reflector.next();
        assert_eq!(next.ask, Ask::Probe, "{lasted}");
        assert!(next.after > Duration::ZERO, "{lasted}");
        reflector.page(page(&["a"], "12", None), s(lasted));
        assert_eq!(reflector.next().ask, watch("10"), "{lasted}");
        assert!(reflector.next().after > Duration::ZERO, "{lasted}");
    }
}

#[test]
fn what_the_server_asks_for_is_waited_for_on_top_of_the_own_pause() {
    let mut reflector = watching(&[]);
    reflector.failed(Failure::Unavailable);
    let own = reflector.next().after;
    reflector.asked_to_wait(s(3));
    assert_eq!(reflector.next().after, own + s(3));
    reflector.asked_to_wait(s(1_000_000));
    assert!(reflector.next().after <= own + s(3) + LONGEST_ASKED);
}

#[test]
fn a_server_that_lists_well_and_watches_badly_is_asked_ever_more_slowly() {
    for failure in [Failure::Expired, Failure::Unavailable, Failure::Ended] {
        let mut reflector = watching(&["a"]);
        assert!(!reflector.doubts_watch());
        let mut waited = Duration::ZERO;
        for turn in 0..12 {
            reflector.watch_over(failure, s(turn));
            reflector.page(page(&["a"], "10", None), s(turn));
            let next = reflector.next();
            assert_eq!(next.ask, watch("10"), "{failure:?}");
            reflector.watch_opened(s(turn), LASTS);
            waited = next.after;
        }
        assert!(waited >= s(10), "{failure:?}: {waited:?}");
        assert!(reflector.watches_badly());
        // A watch that lasts makes up for it.
        reflector.watch_lasted();
        assert!(!reflector.doubts_watch());
        reflector.watch_over(Failure::Ended, s(11) + LASTS);
        assert_eq!(reflector.next().after, Duration::ZERO);
    }
}

/// What a server does whose process is replaced: watches break off, and nothing is answered.
#[test]
fn a_server_that_begins_anew_time_after_time_is_not_one_that_watches_badly() {
    let mut reflector = watching(&["a"]);
    for turn in 0..20 {
        reflector.watch_over(Failure::Unavailable, s(turn));
        assert_eq!(reflector.next().ask, Ask::Probe);
        reflector.failed(Failure::Unavailable);
        assert_eq!(reflector.next().ask, quorum_list(None));
        assert!(reflector.next().after < s(1), "{turn}");
        reflector.page(page(&["a"], "10", None), s(turn));
        assert_eq!(reflector.next().ask, watch("10"));
        assert!(reflector.next().after < s(1), "{turn}");
        reflector.watch_opened(s(turn), LASTS);
        assert!(!reflector.watches_badly());
    }
}

#[test]
fn a_refusal_that_may_be_over_at_once_is_asked_again_soon_a_few_times() {
    let mut reflector = watching(&["a"]);
    for _ in 0..8 {
        reflector.failed(Failure::Unavailable);
    }
    let long = reflector.next().after;
    for _ in 0..SOON_TIMES {
        reflector.failed(Failure::Unavailable);
        reflector.ask_soon();
        assert!(reflector.next().after <= SOON.mul_f64(1.5));
    }
    reflector.failed(Failure::Unavailable);
    reflector.ask_soon();
    assert!(reflector.next().after >= long.min(LONGEST_PAUSE / 2));
}
