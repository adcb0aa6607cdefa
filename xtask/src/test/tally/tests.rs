//! Lines of test programs, counted.

use super::Tally;

#[test]
fn a_result_line_is_counted_and_others_are_not() {
    let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s";
    let tally = Tally::from_line(line).expect("a result");
    assert_eq!(tally.to_string(), "12 passed, 2 failed, 1 skipped");
    assert!(!tally.is_good());
    assert_eq!(Tally::from_line("test a::b ... ok"), None);
}

#[test]
fn a_test_that_skipped_itself_has_not_passed() {
    let mut tally = Tally::passed(3);
    tally.one_was_skipped();
    assert_eq!(tally.to_string(), "2 passed, 0 failed, 1 skipped");
}

#[test]
fn sums_are_over_everything() {
    let mut sum = Tally::passed(1);
    sum += Tally::failed(2);
    sum += Tally::skipped(3);
    assert_eq!(sum.to_string(), "1 passed, 2 failed, 3 skipped");
}
