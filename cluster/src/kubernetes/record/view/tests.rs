//! The lines of a view: what is written is read back, and damage is never taken for contents.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOON: &str = "2026-01-01T12:00:00Z";

fn owner() -> Owner {
    Owner {
        server: "https://192.0.2.1:6443".to_owned(),
        node: "n1".to_owned(),
    }
}

fn noon() -> Timestamp {
    NOON.parse().unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, String),
    Gone(u8),
    Withheld(u8),
    At(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_u8, ".{0,12}").prop_map(|(name, note)| Step::Put(name, note)),
        1 => (0..6_u8).prop_map(Step::Gone),
        1 => (0..6_u8).prop_map(Step::Withheld),
        2 => any::<bool>().prop_map(Step::At),
    ];
    vec(step, 0..24)
}

fn reference(name: u8) -> ObjectRef {
    ObjectRef::new(Kind::BGPPeer, None, &format!("p{name}")).unwrap()
}

fn peer(note: &str, name: u8) -> Value {
    json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "BGPPeer",
        "metadata": {"name": format!("p{name}"), "annotations": {"note": note}},
        "spec": {"myASN": 65000, "peerASN": 65001, "peerAddress": "192.0.2.9"},
    })
}

/// What a view says, in a form that can be compared.
type Told = (BTreeMap<String, String>, Option<String>);

fn told(view: &View) -> Told {
    let objects = view.objects.iter();
    let objects = objects.map(|object| (object.object_ref().to_string(), format!("{object:?}")));
    let withheld = view.withheld.iter();
    let withheld = withheld.map(|name| (name.to_string(), "withheld".to_owned()));
    (objects.chain(withheld).collect(), view.cluster.clone())
}

/// The text, and what it is to say at each of its confirmations, the first of which comes at its start.
fn written(steps: &[Step]) -> (String, Vec<Told>) {
    let mut text = header(&owner());
    let mut sum = Checksum::new();
    sum.add(&text);
    let mut now: BTreeMap<String, String> = BTreeMap::new();
    let mut confirmed = Vec::new();
    let first = [Step::At(true)];
    let last = [Step::At(false)];
    for step in first.iter().chain(steps).chain(&last) {
        let line = match step {
            Step::Put(name, note) => {
                let object = peer(note, *name);
                let decoded = object::decode(Kind::BGPPeer, object.clone()).unwrap();
                now.insert(reference(*name).to_string(), format!("{decoded:?}"));
                put(&reference(*name), &object)
            }
            Step::Withheld(name) => {
                let mut object = peer("", *name);
                object["spec"]["password"] = "open-sesame".into();
                now.insert(reference(*name).to_string(), "withheld".to_owned());
                put(&reference(*name), &object)
            }
            Step::Gone(name) => {
                now.remove(&reference(*name).to_string());
                gone(&reference(*name))
            }
            Step::At(known) => {
                let cluster = known.then(|| "uid".to_owned());
                confirmed.push((now.clone(), cluster.clone()));
                at(
                    &Confirmed {
                        at: noon(),
                        cluster,
                    },
                    sum,
                )
            }
        };
        sum.add(&line);
        text.push_str(&line);
    }
    (text, confirmed)
}

/// A view at some confirmation, or a refusal: anything else was never so.
fn believable(bytes: &[u8], confirmed: &[Told]) -> Result<(), TestCaseError> {
    if let Ok(view) = parse(Kind::BGPPeer, &owner(), bytes, noon()) {
        let told = told(&view);
        prop_assert!(confirmed.contains(&told), "never so: {told:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(steps in steps()) {
        let (text, confirmed) = written(&steps);
        let view = parse(Kind::BGPPeer, &owner(), text.as_bytes(), noon()).unwrap();
        prop_assert_eq!(told(&view), confirmed.last().unwrap().clone());
    }

    #[test]
    fn what_is_cut_off_yields_an_earlier_view_or_none(steps in steps(), place in any::<prop::sample::Index>()) {
        let (text, confirmed) = written(&steps);
        believable(&text.as_bytes()[..place.index(text.len())], &confirmed)?;
    }

    #[test]
    fn a_bit_that_falls_over_yields_an_earlier_view_or_none(
        steps in steps(), place in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let (text, confirmed) = written(&steps);
        let mut bytes = text.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        believable(&bytes, &confirmed)?;
    }

    #[test]
    fn what_is_lost_in_the_middle_yields_an_earlier_view_or_none(
        steps in steps(), ends in any::<[prop::sample::Index; 2]>(),
    ) {
        let (text, confirmed) = written(&steps);
        let mut bytes = text.into_bytes();
        let mut ends = ends.map(|end| end.index(bytes.len()));
        ends.sort_unstable();
        bytes.drain(ends[0]..ends[1]);
        believable(&bytes, &confirmed)?;
    }

    #[test]
    fn anything_else_is_refused(bytes in vec(any::<u8>(), 0..200), behind in any::<bool>()) {
        let mut text = if behind { header(&owner()).into_bytes() } else { Vec::new() };
        text.extend(bytes);
        prop_assert!(parse(Kind::BGPPeer, &owner(), &text, noon()).is_err());
    }
}

#[test]
fn no_bit_that_falls_over_makes_an_old_view_young() {
    let (text, _) = written(&[Step::Put(1, String::new())]);
    let late = noon() + SignedDuration::from_hours(25);
    for place in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            let view = parse(Kind::BGPPeer, &owner(), &bytes, late);
            assert!(view.is_err(), "bit {bit} of octet {place}");
        }
    }
}
