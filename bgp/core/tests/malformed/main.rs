//! Every input of the malformed-input table, decoded: the reaction is the one the table asks for, or the
//! decoder leaves it to the session. `bgp/net/tests/malformed.rs` plays the same table to a live speaker.

#[path = "table.rs"]
mod table;
mod values;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ringbolt_bgp::types::{FamilySet, Peering, Prefix};
use ringbolt_bgp::wire::{
    self, AsnWidth, DecodeCtx, DecodeError, Message, MessageLimit, Notification, RefreshForm,
    Update,
};
use table::{Case, Delivery, Judge, Reaction, Session};

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// An eBGP session with everything this speaker negotiates.
const CTX: DecodeCtx = DecodeCtx {
    asn_width: AsnWidth::FourOctets,
    families: FamilySet::ALL,
    extended_next_hop: FamilySet::EMPTY,
    peering: Peering::External,
    refresh: RefreshForm::Enhanced,
    limit: MessageLimit::Standard,
};

/// What that negotiates.
fn context(session: Session) -> DecodeCtx {
    match session {
        Session::External | Session::TwoPrefixes | Session::ShortHold => CTX,
        Session::Internal => DecodeCtx {
            peering: Peering::Internal,
            ..CTX
        },
        Session::PlainRefresh => DecodeCtx {
            refresh: RefreshForm::Plain,
            ..CTX
        },
        Session::Extended => DecodeCtx {
            limit: MessageLimit::Extended,
            ..CTX
        },
    }
}

/// All messages of a stream, or the error that ends it; an incomplete end is left alone.
fn decode(mut bytes: &[u8], ctx: &DecodeCtx) -> Result<Vec<Message>, DecodeError> {
    let mut messages = Vec::new();
    while let Some(framed) = wire::frame(bytes, ctx.limit)? {
        messages.push(wire::decode(framed, ctx)?);
        bytes = &bytes[framed.len()..];
    }
    Ok(messages)
}

/// The reaction of the decoder alone, from the weakest to the strongest.
fn decoded(messages: &[Message]) -> Reaction {
    let reaction = |message: &Message| match message {
        Message::Update(update) => update.reaction(),
        Message::Open(_)
        | Message::Notification(_)
        | Message::Keepalive
        | Message::RouteRefresh(_) => wire::Reaction::Accept,
    };
    match messages.iter().map(reaction).max() {
        None | Some(wire::Reaction::Accept) => Reaction::Accept,
        Some(wire::Reaction::Discard) => Reaction::Discard,
        Some(wire::Reaction::Withdraw) => Reaction::Withdraw,
        Some(wire::Reaction::Reset) => panic!("a reset is an error"),
    }
}

fn is_right(case: &Case, outcome: &Result<Vec<Message>, DecodeError>) -> bool {
    let notification = outcome.as_ref().err().map(DecodeError::notification);
    let seen = outcome.as_deref().map(decoded).ok();
    match (case.judge, case.reaction) {
        (Judge::Session, _)
        | (Judge::Codec, Reaction::Accept | Reaction::Ignore | Reaction::Close) => {
            seen == Some(Reaction::Accept)
        }
        (Judge::Codec, Reaction::Discard | Reaction::Withdraw) => seen == Some(case.reaction),
        (Judge::Codec, Reaction::Reset(code, subcode)) => {
            notification.is_some_and(|said| said.code.octets() == (code, subcode))
        }
        (Judge::Codec, Reaction::ResetWith(code, subcode, data)) => {
            notification.is_some_and(|said: Notification| {
                said.code.octets() == (code, subcode) && said.data == data
            })
        }
    }
}

#[test]
fn every_malformed_input_is_decoded_as_its_row_asks() {
    for case in table::all(OWN) {
        let outcome = decode(&case.bytes, &context(case.session));
        assert!(
            is_right(&case, &outcome),
            "{case}: wanted {:?} of the {:?}, came {outcome:?}",
            case.reaction,
            case.judge
        );
        if case.judge == Judge::Codec && case.reaction == Reaction::Withdraw {
            let updates = outcome.into_iter().flatten();
            updates.for_each(|message| withdraws_the_route(&case, message));
        }
    }
}

/// The route is among what the message withdraws, and nothing is announced.
fn withdraws_the_route(case: &Case, message: Message) {
    let routes: [Prefix; 2] =
        ["203.0.113.0/24", "2001:db8:1::/48"].map(|text| text.parse().expect("prefixes"));
    let Message::Update(Update {
        withdrawn,
        announced,
        end_of_rib,
        ..
    }) = message
    else {
        panic!("{case}: an UPDATE withdraws");
    };
    assert_eq!(announced, None, "{case}");
    assert_eq!(end_of_rib, None, "{case}");
    let gone = withdrawn.iter().any(|prefix| routes.contains(prefix));
    assert!(gone, "{case}: {withdrawn:?}");
}

#[test]
fn every_row_has_a_case_and_every_case_a_name_of_its_own() {
    let cases = table::all(OWN);
    let rows: BTreeSet<u8> = cases.iter().map(|case| case.row).collect();
    assert_eq!(rows, (1..=table::ROWS).collect());
    let mut names = BTreeSet::new();
    for case in &cases {
        assert!(
            names.insert((case.to_string(), format!("{:?}", case.stage))),
            "{case}: twice"
        );
        let silent = case.delivery == Delivery::NeverReads;
        assert_eq!(case.bytes.is_empty(), silent, "{case}");
    }
}

#[test]
fn every_input_cut_anywhere_is_decoded_without_a_panic() {
    for case in table::all(OWN) {
        let ctx = context(case.session);
        for end in 0..case.bytes.len().min(4_200) {
            // What is complete is judged; what is not is waited for.
            let _ = decode(&case.bytes[..end], &ctx);
        }
    }
}
