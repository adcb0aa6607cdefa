//! The malformed-input table over live sessions: a peer that is written down octet by octet says something
//! valid, then the defect, then something valid again, to a speaker with real sockets.
//!
//! Every case has a speaker of its own, and another peer of it watches that nothing but what must go goes:
//! its session stands, its routes are kept, and it is told nothing until the speaker has news of its own.

#![expect(clippy::unwrap_used, reason = "what fails a helper fails the test")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ringbolt_bgp::router::PeerStats;
use ringbolt_bgp::session::State;
use ringbolt_bgp::wire::{Message, RefreshForm};
use ringbolt_bgp_net::{Bgp, Stats};
use tokio::task::{JoinError, JoinSet};

#[path = "malformed/peer.rs"]
mod peer;
#[path = "malformed/scene.rs"]
mod scene;
#[path = "../../core/tests/malformed/table.rs"]
mod table;

use peer::{End, Peer, open};
use scene::{Place, hears_nothing_but_news, held, id, sentinel, speaker, wait_for, watch};
use table::bytes::{GLOBAL_6, HOP, ORIGIN, PATH, ROUTE, ROUTE_6, reach, update_of};
use table::{Case, Delivery, Judge, Reaction, Session, Stage};

const OUR_AS: u32 = 65_000;
const PEER_AS: u32 = 65_001;
/// Cases played at once.
const AT_ONCE: usize = 12;

/// Not everything can be played: messages of 65,535 octets are not negotiated, and the send hold time is
/// eight minutes, which virtual time spends in the Router's tests.
fn is_live(case: &Case) -> bool {
    case.session != Session::Extended && case.delivery != Delivery::NeverReads
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_input_has_its_reaction_on_a_live_session() {
    let mut rows = BTreeSet::new();
    let mut playing = JoinSet::new();
    let mut wrong = Vec::new();
    for number in 0.. {
        let place = Place::new(number);
        let IpAddr::V4(own) = place.speaker.ip() else {
            panic!("loopback addresses are IPv4 here");
        };
        let Some(case) = table::all(own).into_iter().nth(usize::from(number)) else {
            break;
        };
        if !is_live(&case) {
            continue;
        }
        rows.insert(case.row);
        playing.spawn(play(case, place));
        if playing.len() == AT_ONCE {
            wrong.extend(playing.join_next().await.and_then(words));
        }
    }
    while let Some(outcome) = playing.join_next().await {
        wrong.extend(words(outcome));
    }
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let all: BTreeSet<u8> = (1..=table::ROWS).collect();
    let left_out: Vec<u8> = all.difference(&rows).copied().collect();
    assert_eq!(left_out, [89], "rows that are not played");
}

/// What a case that failed says.
fn words(outcome: Result<(), JoinError>) -> Option<String> {
    let panic = outcome.err()?.into_panic();
    let words = panic.downcast::<String>().map(|words| *words);
    Some(words.unwrap_or_else(|_| "a case failed without words".to_owned()))
}

async fn play(case: Case, place: Place) {
    let bgp = speaker(&case, place).await;
    let mut watcher = watch(&bgp, place).await;
    let act = Act {
        case: &case,
        place,
        bgp: &bgp,
    };
    match case.stage {
        Stage::OpenSent => act.in_open_sent().await,
        Stage::OpenConfirm => act.in_open_confirm().await,
        Stage::Established if case.delivery == Delivery::EverySession => {
            act.again_and_again().await;
        }
        Stage::Established => act.in_established().await,
    }
    hears_nothing_but_news(&case, &bgp, &mut watcher).await;
}

/// One case on its way through a session.
#[derive(Clone, Copy)]
struct Act<'a> {
    case: &'a Case,
    place: Place,
    bgp: &'a Bgp,
}

impl Act<'_> {
    async fn dial(self) -> Peer {
        Peer::dial(self.place.hostile, self.place.speaker).await
    }

    async fn in_open_sent(self) {
        let mut peer = self.dial().await;
        let Some(Message::Open(_)) = peer.message().await else {
            panic!("{}: a speaker opens", self.case);
        };
        peer.write(&self.case.bytes).await;
        if self.case.reaction == Reaction::Accept {
            peer.confirmed().await;
            peer.write(&peer::keepalive()).await;
            self.sees("the session comes up", |hostile| {
                hostile.state == State::Established
            })
            .await;
        } else {
            self.ends(&mut peer).await;
        }
    }

    async fn in_open_confirm(self) {
        let mut peer = self.dial().await;
        peer.write(&hello(self.case.session)).await;
        peer.confirmed().await;
        peer.write(&self.case.bytes).await;
        self.ends(&mut peer).await;
    }

    async fn establish(self) -> Peer {
        let mut peer = self.dial().await;
        peer.handshake(&hello(self.case.session)).await;
        self.sees("the session comes up", |hostile| {
            hostile.state == State::Established
        })
        .await;
        peer
    }

    async fn in_established(self) {
        let mut peer = self.establish().await;
        // A route that is taken must not have been there before.
        let before = match self.case.reaction {
            Reaction::Accept | Reaction::Discard => 0,
            Reaction::Ignore
            | Reaction::Withdraw
            | Reaction::Reset(..)
            | Reaction::ResetWith(..)
            | Reaction::Close => {
                peer.write(&valid()).await;
                2
            }
        };
        self.sees("the valid routes", |hostile| held(hostile) == before)
            .await;
        self.deliver(&mut peer).await;
        let after = match self.case.reaction {
            Reaction::Accept | Reaction::Discard => before + 1,
            Reaction::Ignore => before,
            Reaction::Withdraw => before - 1,
            Reaction::Reset(..) | Reaction::ResetWith(..) | Reaction::Close => {
                return self.ends(&mut peer).await;
            }
        };
        peer.write(&sentinel()).await;
        let hostile = self
            .sees("the sentinel's two routes and what is left", |hostile| {
                held(hostile) == after + 2
            })
            .await;
        self.is_counted(&hostile);
    }

    async fn deliver(self, peer: &mut Peer) {
        let bytes = &self.case.bytes;
        match self.case.delivery {
            Delivery::Whole => peer.write(bytes).await,
            Delivery::ThenFin => {
                peer.write(bytes).await;
                peer.finish().await;
            }
            Delivery::CutInHeader => {
                for at in 1..=18 {
                    let (first, second) = bytes.split_at(at);
                    let read = self.now(|hostile| hostile.counters.bytes_in);
                    let awaited = read + u64::try_from(at).unwrap();
                    peer.write(first).await;
                    self.sees("half a header", |hostile| {
                        hostile.counters.bytes_in >= awaited
                    })
                    .await;
                    peer.write(second).await;
                    let awaited = read + u64::try_from(bytes.len()).unwrap();
                    self.sees("the other half", |hostile| {
                        hostile.counters.bytes_in >= awaited
                    })
                    .await;
                }
            }
            Delivery::Trickle => {
                for octet in bytes {
                    peer.write(&[*octet]).await;
                    let ended = self.sees("the end", |hostile| hostile.state != State::Established);
                    if tokio::time::timeout(Duration::from_millis(250), ended)
                        .await
                        .is_ok()
                    {
                        return;
                    }
                }
            }
            Delivery::EverySession | Delivery::NeverReads => {
                panic!("{}: played elsewhere", self.case)
            }
        }
    }

    /// The connection ends as the row asks, and what was learned from it is gone.
    async fn ends(self, peer: &mut Peer) {
        let case = self.case;
        let end = peer.end().await;
        match (&end, case.reaction) {
            (End::Silent, Reaction::Close) => {}
            (End::Notified(said), Reaction::Reset(code, subcode)) => {
                assert_eq!(said.code.octets(), (code, subcode), "{case}");
            }
            (End::Notified(said), Reaction::ResetWith(code, subcode, wanted)) => {
                assert_eq!(
                    (said.code.octets(), &*said.data),
                    ((code, subcode), wanted),
                    "{case}"
                );
            }
            _ => panic!("{case}: wanted {:?}, came {end:?}", case.reaction),
        }
        let before_up = case.stage != Stage::Established;
        let hostile = self
            .sees("the end of the session", |hostile| {
                held(hostile) == 0
                    && (hostile.flaps == 1 || before_up && hostile.last_down.is_some())
            })
            .await;
        self.is_counted(&hostile);
    }

    /// What the decoder found is in the peer's counters, once, and nothing else is.
    fn is_counted(self, hostile: &PeerStats) {
        let case = self.case;
        if case.judge == Judge::Session {
            return;
        }
        let counters = hostile.counters;
        let seen = (
            counters.treated_as_withdraw,
            counters.attributes_discarded,
            counters.resets,
        );
        let wanted = match case.reaction {
            Reaction::Accept | Reaction::Ignore | Reaction::Close => (0, 0, 0),
            Reaction::Discard => (0, 1, 0),
            Reaction::Withdraw => (1, 0, 0),
            Reaction::Reset(..) | Reaction::ResetWith(..) => (0, 0, 1),
        };
        assert_eq!(seen, wanted, "{case}: withdrawn, discarded, reset");
        let up = u64::from(wanted.2 == 1 || case.reaction == Reaction::Close);
        if case.stage == Stage::Established {
            assert_eq!(hostile.flaps, up, "{case}: flaps");
        }
        let words = hostile
            .last_notification
            .as_ref()
            .and_then(|record| record.text.as_deref());
        assert!(
            !words.is_some_and(|text| text.contains(char::is_control)),
            "{case}: {words:?}"
        );
    }

    /// Row 90: a session that is broken as soon as it stands does not start the back-off anew.
    async fn again_and_again(self) {
        let mut pauses = Vec::new();
        for round in 1..=3 {
            let mut peer = self.establish().await;
            peer.write(&self.case.bytes).await;
            let End::Notified(said) = peer.end().await else {
                panic!("{}: ends with a NOTIFICATION", self.case);
            };
            assert!(
                matches!(self.case.reaction, Reaction::Reset(code, subcode) if said.code.octets() == (code, subcode))
            );
            let down = self
                .sees("a pause", |hostile| {
                    hostile.flaps == round && hostile.retry_at.is_some()
                })
                .await;
            pauses.push(down.retry_at.unwrap() - down.since);
            self.sees("the end of the pause", |hostile| {
                hostile.state == State::Active
            })
            .await;
        }
        assert!(
            pauses.is_sorted_by(|one, next| one < next),
            "{}: {pauses:?}",
            self.case
        );
    }

    fn now<T>(self, of: impl Fn(&PeerStats) -> T) -> T {
        of(&self.bgp.stats().borrow().router.peers[&id("hostile")])
    }

    /// The hostile peer's first stats that satisfy `condition`.
    async fn sees(self, what: &str, condition: impl Fn(&PeerStats) -> bool) -> PeerStats {
        let hostile = |stats: &Stats| stats.router.peers[&id("hostile")].clone();
        match wait_for(self.bgp, |stats| condition(&hostile(stats))).await {
            Ok(stats) => hostile(&stats),
            Err(stats) => panic!("{}: waited for {what}: {:#?}", self.case, hostile(&stats)),
        }
    }
}

/// Two valid routes, one of each family: those that most rows are about.
fn valid() -> Vec<u8> {
    let route_6 = reach(&format!("0002 01 10 {GLOBAL_6} 00 {ROUTE_6}"));
    [update_of("", &[ORIGIN, PATH, HOP].concat(), ROUTE), route_6].concat()
}

fn hello(session: Session) -> Vec<u8> {
    let (asn, hold, refresh) = match session {
        Session::External | Session::TwoPrefixes | Session::Extended => {
            (PEER_AS, 90, RefreshForm::Enhanced)
        }
        Session::Internal => (OUR_AS, 90, RefreshForm::Enhanced),
        Session::PlainRefresh => (PEER_AS, 90, RefreshForm::Plain),
        Session::ShortHold => (PEER_AS, 3, RefreshForm::Enhanced),
    };
    open(asn, hold, refresh).to_vec()
}
