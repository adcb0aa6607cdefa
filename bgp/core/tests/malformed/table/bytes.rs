//! Makers of messages that no encoder would write. They know octets and lengths, and no meaning.

pub(crate) const ORIGIN: &str = "40 01 01 00";
/// A path through AS 65002.
pub(crate) const PATH: &str = "40 02 06 02 01 0000fdea";
pub(crate) const HOP: &str = "40 03 04 0a630002";
/// 203.0.113.0/24, which most rows are about.
pub(crate) const ROUTE: &str = "18 cb0071";
/// 2001:db8:1::/48, in front of which a next hop is missing.
pub(crate) const ROUTE_6: &str = "30 20010db80001";
pub(crate) const GLOBAL_6: &str = "20010db8000000000000000000000002";

/// Octets written in hexadecimal, spaces ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let octet = |pair: &[char]| {
        let text: String = pair.iter().collect();
        u8::from_str_radix(&text, 16).expect("the table is written in hexadecimal")
    };
    digits.chunks(2).map(octet).collect()
}

/// A message of any type octet around `body`.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    bytes.extend(length(body.len() + 19));
    bytes.push(kind);
    bytes.extend(body);
    bytes
}

fn length(octets: usize) -> [u8; 2] {
    let octets = u16::try_from(octets).expect("the table has no longer messages");
    octets.to_be_bytes()
}

/// The same message with another length in its header.
pub(crate) fn with_length(mut bytes: Vec<u8>, length: u16) -> Vec<u8> {
    bytes[16..18].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// An OPEN with this much behind the identifier.
pub(crate) fn open(my_as: u16, hold: u16, id: u32, parameters: &[u8]) -> Vec<u8> {
    let mut body = vec![4];
    body.extend(my_as.to_be_bytes());
    body.extend(hold.to_be_bytes());
    body.extend(id.to_be_bytes());
    body.extend(parameters);
    message(1, &body)
}

/// An OPEN that is right but for its capabilities.
pub(crate) fn capable(capabilities: &str) -> Vec<u8> {
    let capabilities = hex(capabilities);
    let [_, octets] = length(capabilities.len());
    let parameters = [&[octets + 2, 2, octets][..], &capabilities].concat();
    open(65_001, 90, 1, &parameters)
}

pub(crate) fn update_of(withdrawn: &str, attributes: &str, nlri: &str) -> Vec<u8> {
    let (withdrawn, attributes) = (hex(withdrawn), hex(attributes));
    let mut body = length(withdrawn.len()).to_vec();
    body.extend(withdrawn);
    body.extend(length(attributes.len()));
    body.extend(attributes);
    body.extend(hex(nlri));
    message(2, &body)
}

/// The valid route with one more attribute.
pub(crate) fn with(attribute: &str) -> Vec<u8> {
    update_of("", &[ORIGIN, PATH, HOP, attribute].concat(), ROUTE)
}

/// The valid route with exactly these attributes.
pub(crate) fn only(attributes: &[&str]) -> Vec<u8> {
    update_of("", &attributes.concat(), ROUTE)
}

/// An MP_REACH_NLRI with this value among valid attributes, no classic prefixes.
pub(crate) fn reach(value: &str) -> Vec<u8> {
    let [_, octets] = length(hex(value).len());
    let attribute = format!("80 0e {octets:02x} {value}");
    update_of("", &[ORIGIN, PATH, &attribute].concat(), "")
}

pub(crate) fn reach_6(next_hop_length: &str, next_hop: &str) -> Vec<u8> {
    reach(&["0002 01", next_hop_length, next_hop, "00", ROUTE_6].concat())
}

pub(crate) fn unreach(value: &str) -> Vec<u8> {
    let [_, octets] = length(hex(value).len());
    update_of("", &format!("80 0f {octets:02x} {value}"), "")
}

/// A path of as many segments of 255 ASes as an attribute.
pub(crate) fn long_path(segments: usize) -> String {
    let value = format!("02 ff {}", "0000fdea".repeat(255)).repeat(segments);
    format!("50 02 {:04x} {value}", hex(&value).len())
}
