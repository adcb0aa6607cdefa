//! Communities and their names.

use proptest::prelude::*;

use super::*;

#[test]
fn communities_are_read_in_their_documented_forms() {
    let table = CommunityTable::new(BTreeMap::from([
        ("transit".into(), Community::Standard(65_000 << 16 | 1)),
        ("65000:7".into(), Community::Standard(7)),
    ]));
    for (text, expected) in [
        ("65000:100", Ok(Community::Standard(65_000 << 16 | 100))),
        (
            "large:4200000000:1:2",
            Ok(Community::Large(4_200_000_000, 1, 2)),
        ),
        ("no-export", Ok(Community::Standard(0xffff_ff01))),
        ("transit", Ok(Community::Standard(65_000 << 16 | 1))),
        ("65000:7", Ok(Community::Standard(7))),
        ("ext:rt:65000:1", Err(CommunityProblem::Extended)),
        ("65536:1", Err(CommunityProblem::Unknown)),
        ("1:2:3", Err(CommunityProblem::Unknown)),
        ("large:1:2", Err(CommunityProblem::Unknown)),
        ("large:4294967296:1:2", Err(CommunityProblem::Unknown)),
        ("+1:2", Err(CommunityProblem::Unknown)),
        (":", Err(CommunityProblem::Unknown)),
        ("", Err(CommunityProblem::Unknown)),
        ("unheard-of", Err(CommunityProblem::Unknown)),
    ] {
        assert_eq!(table.resolve(text), expected, "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_printed_community_is_read_back(value: u32, a: u32, b: u32, c: u32) {
        for community in [Community::Standard(value), Community::Large(a, b, c)] {
            prop_assert_eq!(community.to_string().parse(), Ok(community));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,30}") {
        let _ = CommunityTable::default().resolve(&text);
    }
}
