//! Both sides decide alike, whatever they know first.

use super::*;

fn contender(router_id: u32, asn: u32) -> Contender {
    Contender {
        router_id: RouterId::new(router_id).unwrap(),
        asn: Asn(asn),
    }
}

const ORIGINS: [Origin; 2] = [Origin::Dialled, Origin::Accepted];

fn opposite(origin: Origin) -> Origin {
    match origin {
        Origin::Dialled => Origin::Accepted,
        Origin::Accepted => Origin::Dialled,
    }
}

#[test]
fn an_established_session_is_never_given_up() {
    for this in ORIGINS {
        for (us, peer) in [(1, 2), (2, 1)] {
            let verdict = decide(
                this,
                Rival::Established,
                contender(us, 1),
                contender(peer, 2),
            );
            assert_eq!(verdict, Verdict::KeepRival);
        }
    }
}

#[test]
fn nothing_is_decided_before_the_peer_has_said_who_it_is_on_both() {
    for this in ORIGINS {
        let verdict = decide(this, Rival::OpenSent, contender(1, 1), contender(2, 2));
        assert_eq!(verdict, Verdict::Undecided);
    }
}

#[test]
fn the_higher_identifier_keeps_what_it_dialled() {
    let (low, high) = (contender(1, 9), contender(2, 1));
    assert_eq!(
        decide(Origin::Dialled, Rival::OpenConfirm, high, low),
        Verdict::KeepThis
    );
    assert_eq!(
        decide(Origin::Accepted, Rival::OpenConfirm, high, low),
        Verdict::KeepRival
    );
    assert_eq!(
        decide(Origin::Dialled, Rival::OpenConfirm, low, high),
        Verdict::KeepRival
    );
    assert_eq!(
        decide(Origin::Accepted, Rival::OpenConfirm, low, high),
        Verdict::KeepThis
    );
}

#[test]
fn equal_identifiers_are_told_apart_by_as() {
    let (low, high) = (contender(7, 1), contender(7, 2));
    assert_eq!(
        decide(Origin::Dialled, Rival::OpenConfirm, high, low),
        Verdict::KeepThis
    );
    assert_eq!(
        decide(Origin::Dialled, Rival::OpenConfirm, low, high),
        Verdict::KeepRival
    );
}

#[test]
fn both_sides_keep_the_same_connection() {
    // What is dialled for one side is accepted for the other, and either may see it last.
    for (us, peer) in [
        (contender(1, 1), contender(2, 2)),
        (contender(3, 1), contender(3, 2)),
    ] {
        for here in ORIGINS {
            for there in ORIGINS {
                let kept = |last: Origin, verdict| match verdict {
                    Verdict::KeepThis => last,
                    Verdict::KeepRival => opposite(last),
                    Verdict::Undecided => panic!("both have said who they are"),
                };
                let ours = kept(here, decide(here, Rival::OpenConfirm, us, peer));
                let theirs = kept(there, decide(there, Rival::OpenConfirm, peer, us));
                assert_eq!(ours, opposite(theirs));
            }
        }
    }
}
