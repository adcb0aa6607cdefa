//! Conditions: written when something differs, timed when the status does.

use super::*;

#[test]
fn setting_the_same_condition_again_is_no_change() {
    let mut list = Vec::new();
    assert!(set(&mut list, ConditionStatus::True, "Valid", "", 1));
    let before = list.clone();
    assert!(!set(&mut list, ConditionStatus::True, "Valid", "", 2));
    assert_eq!(list, before);
}

#[test]
fn the_transition_time_moves_with_the_status_alone() {
    let mut list = Vec::new();
    set(&mut list, ConditionStatus::False, "Overlap", "", 1);
    assert!(set(
        &mut list,
        ConditionStatus::False,
        "InvalidRange",
        "x",
        2
    ));
    assert_eq!(list[0].last_transition_time.0.as_second(), 1);
    assert!(set(&mut list, ConditionStatus::True, "Valid", "", 3));
    assert_eq!(list[0].last_transition_time.0.as_second(), 3);
    assert_eq!(list.len(), 1);
}

#[test]
fn a_message_ends_within_a_character_boundary_and_the_bound() {
    let mut list = Vec::new();
    set(
        &mut list,
        ConditionStatus::True,
        "Valid",
        &"ä".repeat(MAX_MESSAGE),
        1,
    );
    assert!(list[0].message.len() <= MAX_MESSAGE);
    assert!(list[0].message.ends_with('ä'));
}

fn set(
    list: &mut Vec<Condition>,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    second: i64,
) -> bool {
    let now = Timestamp::from_second(second).unwrap();
    let kind = ConditionKind::Ready.as_str();
    set_condition(list, kind, status, reason, message, None, now)
}
