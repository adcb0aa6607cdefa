//! Ranges: what is read, what is refused, and arithmetic at the ends of the address space.

use proptest::prelude::*;

use super::*;

#[test]
fn all_documented_forms_are_read() {
    for (text, first, last, written) in [
        ("192.0.2.0/24", "192.0.2.0", "192.0.2.255", Written::Cidr),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7", Written::Single),
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.7", Written::Cidr),
        (
            "192.0.2.10-192.0.2.20",
            "192.0.2.10",
            "192.0.2.20",
            Written::Range,
        ),
        (
            " 192.0.2.10 - 192.0.2.10 ",
            "192.0.2.10",
            "192.0.2.10",
            Written::Range,
        ),
        ("2001:db8::/126", "2001:db8::", "2001:db8::3", Written::Cidr),
        ("2001:db8::", "2001:db8::", "2001:db8::", Written::Single),
        (
            "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            Written::Range,
        ),
    ] {
        let range: AddressRange = text.parse().unwrap();
        let ends = (first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(
            (range.span.ends(), range.written),
            (ends, written),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_range_is_refused_for_its_reason() {
    for (text, problem) in [
        ("", RangeProblem::Malformed),
        ("192.0.2.0/33", RangeProblem::Malformed),
        ("192.0.2", RangeProblem::Malformed),
        ("192.0.2.1-", RangeProblem::Malformed),
        ("-192.0.2.1", RangeProblem::Malformed),
        ("192.0.2.1-20", RangeProblem::Malformed),
        ("192.0.2.1-192.0.2.2-192.0.2.3", RangeProblem::Malformed),
        ("192.0.2.9-192.0.2.1", RangeProblem::Reversed),
        ("2001:db8::9-2001:db8::1", RangeProblem::Reversed),
        ("192.0.2.1-2001:db8::1", RangeProblem::MixedFamilies),
        ("192.0.2.1/24", RangeProblem::HostBits),
        ("2001:db8::1/64", RangeProblem::HostBits),
    ] {
        assert_eq!(text.parse::<AddressRange>(), Err(problem), "{text:?}");
    }
}

#[test]
fn counting_saturates_where_the_address_space_ends() {
    let count = |text: &str| text.parse::<AddressRange>().unwrap().span.count();
    assert_eq!(count("0.0.0.0/0"), 1 << 32);
    assert_eq!(count("::/0"), u128::MAX);
    assert_eq!(count("2001:db8::/64"), 1 << 64);
}

#[test]
fn families_never_overlap() {
    let (v4, v6) = (
        Span::V4 {
            first: 0,
            last: u32::MAX,
        },
        Span::V6 {
            first: 0,
            last: u128::MAX,
        },
    );
    assert!(!v4.overlaps(v6) && !v6.overlaps(v4));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        let _ = text.parse::<AddressRange>();
    }

    #[test]
    fn a_printed_range_is_read_back_as_the_same_addresses(a: u32, b: u32, c: u128, d: u128) {
        let v4 = Span::V4 { first: a.min(b), last: a.max(b) };
        let v6 = Span::V6 { first: c.min(d), last: c.max(d) };
        for span in [v4, v6] {
            prop_assert_eq!(span.to_string().parse::<AddressRange>().unwrap().span, span);
        }
    }

    #[test]
    fn containing_and_overlapping_agree_with_enumeration(
        a in 0u32..40, b in 0u32..40, c in 0u32..40, d in 0u32..40,
    ) {
        let one = Span::V4 { first: a.min(b), last: a.max(b) };
        let other = Span::V4 { first: c.min(d), last: c.max(d) };
        let within = |span: Span| (0..40u32)
            .filter(|n| span.contains(Ipv4Addr::from_bits(*n).into()))
            .collect::<Vec<_>>();
        let (left, right) = (within(one), within(other));
        prop_assert_eq!(one.count(), u128::try_from(left.len()).unwrap());
        prop_assert_eq!(one.overlaps(other), left.iter().any(|n| right.contains(n)));
    }
}
