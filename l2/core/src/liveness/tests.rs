//! Members come, change, fall silent, restart and share names.
use super::*;
use crate::test_time::origin;
use crate::types::{AdvertisementName, ClusterId, Standing};

const INTERVAL: Duration = Duration::from_secs(2);
const MS: Duration = Duration::from_millis(1);

fn sender(name: &str, incarnation: u64, instance: u64, sequence: u64) -> Sender {
    Sender {
        cluster: ClusterId([0; 16]),
        node: NodeName::new(name).unwrap(),
        incarnation: Incarnation(incarnation),
        instance: Instance(instance),
        sequence,
    }
}

fn hello(last: u8) -> Hello {
    Hello {
        interval: INTERVAL,
        flags: HelloFlags::default(),
        mac: MacAddr([2, 0, 0, 0, 0, last]),
        held: 0,
        digest: 0,
        eligibility: 1,
        keys: BTreeSet::new(),
        addresses: Vec::new(),
    }
}

fn say(members: &mut Members, who: &Sender, now: Instant) -> (Admission, Option<Heard>) {
    let admission = members.admit(who, now);
    let heard = matches!(admission, Admission::Stranger | Admission::Current)
        .then(|| members.hear(who, &hello(1), now));
    (admission, heard)
}

#[test]
fn a_member_is_lost_after_three_of_its_own_intervals() {
    let (mut members, now) = (Members::default(), origin());
    assert_eq!(
        say(&mut members, &sender("a", 1, 1, 1), now),
        (Admission::Stranger, Some(Heard::Joined))
    );
    assert_eq!(members.next_expired(now + 3 * INTERVAL - MS), None);
    let lost = members.next_expired(now + 3 * INTERVAL);
    assert_eq!(lost, Some((NodeName::new("a").unwrap(), LossCause::Silent)));
    // Any message of its process counts, not hellos alone.
    members.admit(&sender("a", 1, 1, 2), now + INTERVAL);
    assert_eq!(members.next_expired(now + 3 * INTERVAL), None);
    assert_eq!(members.next_deadline(), Some(now + 4 * INTERVAL));
}

#[test]
fn a_late_hello_changes_nothing() {
    let (mut members, now) = (Members::default(), origin());
    let draining = HelloFlags {
        draining: true,
        ..HelloFlags::default()
    };
    members.hear(
        &sender("a", 1, 1, 5),
        &Hello {
            flags: draining,
            ..hello(1)
        },
        now,
    );
    assert_eq!(
        members.hear(&sender("a", 1, 1, 4), &hello(1), now),
        Heard::Late
    );
    assert!(
        members
            .get(&NodeName::new("a").unwrap())
            .unwrap()
            .flags
            .draining
    );
    assert_eq!(
        members.hear(&sender("a", 1, 1, 6), &hello(1), now),
        Heard::Changed
    );
    assert_eq!(
        members.hear(&sender("a", 1, 1, 7), &hello(1), now),
        Heard::Same
    );
}

#[test]
fn a_new_life_counts_when_the_old_one_does_not_contradict_within_its_interval() {
    let (mut members, now) = (Members::default(), origin());
    say(&mut members, &sender("a", 1, 1, 1), now);
    let reborn = sender("a", 2, 9, 0);
    assert_eq!(
        say(&mut members, &reborn, now + 500 * MS),
        (Admission::Rival, None)
    );
    assert_eq!(members.next_expired(now + 2_499 * MS), None);
    let (node, cause) = members.next_expired(now + 2_500 * MS).unwrap();
    assert_eq!(cause, LossCause::Restarted);
    members.remove(&node);
    assert_eq!(
        say(&mut members, &reborn, now + 2_600 * MS).0,
        Admission::Stranger
    );
}

#[test]
fn two_living_processes_of_one_name_are_a_duplicate_and_the_first_stays() {
    let (mut members, now) = (Members::default(), origin());
    let (first, second) = (sender("a", 1, 1, 1), sender("a", 2, 9, 0));
    say(&mut members, &first, now);
    say(&mut members, &second, now + 500 * MS);
    assert!(!members.any_duplicate(now + 500 * MS));
    say(&mut members, &first, now + 1_500 * MS);
    assert!(members.any_duplicate(now + 1_500 * MS));
    assert_eq!(
        say(&mut members, &second, now + 2_500 * MS).0,
        Admission::Duplicate
    );
    assert_eq!(members.next_expired(now + 5_000 * MS), None);
    assert_eq!(members.get(&first.node).unwrap().instance, first.instance);
    // The second falls silent.
    say(&mut members, &first, now + 8_000 * MS);
    assert!(!members.any_duplicate(now + 8_500 * MS));
}

#[test]
fn a_lower_counter_is_told_what_is_known_even_after_the_member_is_gone() {
    let (mut members, now) = (Members::default(), origin());
    let old = sender("a", 5, 1, 1);
    say(&mut members, &old, now);
    let forgetful = sender("a", 1, 9, 0);
    assert_eq!(
        members.admit(&forgetful, now + MS),
        Admission::Behind(Incarnation(5))
    );
    members.remove(&old.node);
    assert_eq!(
        members.admit(&forgetful, now + MS),
        Admission::Behind(Incarnation(5))
    );
    // The same process may come back; another must have a higher counter.
    assert_eq!(members.admit(&old, now + MS), Admission::Stranger);
    assert_eq!(
        members.admit(&sender("a", 5, 9, 0), now + MS),
        Admission::Behind(Incarnation(5))
    );
    assert_eq!(
        members.admit(&sender("a", 6, 9, 0), now + MS),
        Admission::Stranger
    );
}

#[test]
fn an_ethernet_address_leads_to_its_member() {
    let (mut members, now) = (Members::default(), origin());
    let (old, new) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]));
    members.hear(&sender("a", 1, 1, 1), &hello(1), now);
    assert!(members.by_mac(old).is_some());
    members.hear(&sender("a", 1, 1, 2), &hello(2), now);
    assert!(members.by_mac(old).is_none() && members.by_mac(new).is_some());
    members.remove(&NodeName::new("a").unwrap());
    assert!(members.by_mac(new).is_none());
}

#[test]
fn a_list_of_advertisements_counts_when_its_last_part_came() {
    let (mut members, now) = (Members::default(), origin());
    let node = NodeName::new("a").unwrap();
    members.hear(
        &sender("a", 1, 1, 1),
        &Hello {
            eligibility: 8,
            ..hello(1)
        },
        now,
    );
    let part = |list, part, name: &str| Eligibility {
        list,
        part,
        parts: 2,
        entries: vec![Eligible {
            advertisement: AdvertisementId::of(&AdvertisementName::new(name).unwrap()),
            standing: Standing::default(),
            scope: crate::hello::Scope::Named,
        }],
    };
    assert_eq!(
        members.hear_eligibility(&node, part(7, 0, "stale")),
        Heard::Late
    );
    assert_eq!(
        members.hear_eligibility(&node, part(8, 1, "two")),
        Heard::Same
    );
    assert!(members.get(&node).unwrap().eligible.is_none());
    assert_eq!(
        members.hear_eligibility(&node, part(8, 0, "one")),
        Heard::Changed
    );
    assert_eq!(
        members.get(&node).unwrap().eligible.as_ref().unwrap().len(),
        2
    );
    members.hear_eligibility(&node, part(8, 0, "one"));
    assert_eq!(
        members.hear_eligibility(&node, part(8, 1, "two")),
        Heard::Same
    );
}

#[test]
fn a_pause_of_ours_is_not_held_against_members() {
    let (mut members, now) = (Members::default(), origin());
    say(&mut members, &sender("a", 1, 1, 1), now);
    members.forgive(Duration::from_secs(60));
    assert_eq!(
        members.next_deadline(),
        Some(now + Duration::from_secs(60) + 3 * INTERVAL)
    );
}
