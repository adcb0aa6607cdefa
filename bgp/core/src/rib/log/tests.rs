//! Positions grow, cursors survive.

use super::*;

#[test]
fn a_cursor_reads_from_where_it_stands_to_where_it_may() {
    let mut log = ChangeLog::new();
    let positions: Vec<u64> = (0..5).map(|slot| log.append(slot)).collect();
    let read = |cursor, end| {
        log.from(cursor, end)
            .map(|(_, slot)| slot)
            .collect::<Vec<_>>()
    };
    assert_eq!(read(ChangeLog::START, log.head()), [0, 1, 2, 3, 4]);
    assert_eq!(read(positions[2], positions[4]), [2, 3]);
    assert!(read(log.head(), log.head()).is_empty());
}

#[test]
fn compaction_moves_no_cursor() {
    let mut log = ChangeLog::new();
    let positions: Vec<u64> = (0..10).map(|slot| log.append(slot)).collect();
    log.retain(|slot, _| slot % 2 == 1);
    let rest: Vec<_> = log.from(positions[4], log.head()).collect();
    assert_eq!(
        rest,
        [(positions[5], 5), (positions[7], 7), (positions[9], 9)]
    );
}

#[test]
fn a_pass_is_paid_for_by_the_changes_before_it() {
    let mut log = ChangeLog::new();
    let mut passes = 0;
    for _ in 0..100_000 {
        log.append(0);
        if log.wants_compaction() {
            let last = log.head() - 1;
            log.retain(|_, position| position == last);
            passes += 1;
        }
    }
    assert!(passes < 200, "{passes} passes");
    assert!(log.entries().count() <= COMPACT_MIN + 3);
}
