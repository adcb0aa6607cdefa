//! Percentiles of small lists.

use super::percentile;

#[test]
fn a_percentile_is_one_of_the_values() {
    let times = [4.0, 1.0, 3.0, 2.0];
    assert_eq!(percentile(&times, 0.5).to_bits(), 2.0_f64.to_bits());
    assert_eq!(percentile(&times, 0.99).to_bits(), 4.0_f64.to_bits());
    assert!(percentile(&[], 0.5).is_nan());
}
