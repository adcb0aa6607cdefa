//! What is said of objects, and how often.

use ringbolt_config::object;
use serde_json::json;

use super::*;

/// Notes that a peer of this number is not understood.
fn note_bad(outlook: &Outlook, number: usize) -> ObjectRef {
    let name = format!("peer-{number}");
    let value = json!({"metadata": {"name": name}, "spec": {"nonsense": 1}});
    let problem = object::decode(Kind::BGPPeer, value).expect_err("it is not understood");
    let name = ObjectRef::new(Kind::BGPPeer, None, &name).unwrap();
    outlook.not_understood(&name, &problem);
    name
}

#[test]
fn a_list_of_bad_objects_is_said_at_once_and_not_one_by_one() {
    let outlook = Outlook::new();
    let mut problems = outlook.problems();
    let names: Vec<_> = (0..MAX_NAMED)
        .map(|number| note_bad(&outlook, number))
        .collect();
    assert!(!problems.has_changed().unwrap());
    outlook.settle();
    let named: BTreeSet<_> = problems
        .borrow_and_update()
        .iter()
        .filter_map(|problem| problem.object.clone())
        .collect();
    assert_eq!(named, names.iter().cloned().collect());
    outlook.settle();
    assert!(!problems.has_changed().unwrap(), "nothing new was noted");
    names.iter().for_each(|name| outlook.understood(name));
    outlook.settle();
    assert_eq!(problems.borrow_and_update().len(), 0);
}

#[test]
fn no_more_objects_are_named_than_there_is_room_for() {
    let outlook = Outlook::new();
    for number in 0..MAX_NAMED + 10 {
        note_bad(&outlook, number);
    }
    outlook.settle();
    let problems = outlook.problems();
    let named: BTreeSet<_> = problems
        .borrow()
        .iter()
        .map(|problem| problem.object.clone())
        .collect();
    assert_eq!(named.len(), MAX_NAMED);
}
