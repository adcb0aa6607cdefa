//! Lines as `ip -o monitor route` prints them.

use super::host;

#[test]
fn a_route_that_comes_has_a_host_and_one_that_goes_has_none() {
    let came = "10.200.0.7 via 10.99.1.1 dev eth0 proto bird metric 32 ";
    assert_eq!(host(came), Some([10, 200, 0, 7].into()));
    assert_eq!(host(&format!("Deleted {came}")), None);
    assert_eq!(host("10.99.1.0/24 dev eth0 proto kernel scope link"), None);
    assert_eq!(host(""), None);
}
