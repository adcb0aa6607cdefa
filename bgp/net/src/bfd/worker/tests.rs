//! What the thread counts of itself.

use super::*;

#[test]
fn late_wake_ups_are_counted_with_the_worst_of_them() {
    let (_waker, woken) = UnixStream::pair().unwrap();
    let (publish, stats) = watch::channel(Arc::default());
    let mut worker = Worker::new(Settings::default(), Slot::default(), woken, publish);
    for ms in [0, 10, 11, 480, 200] {
        worker.note_lateness(Duration::from_millis(ms));
    }
    worker.publish();
    let stats = stats.borrow();
    assert_eq!(stats.late_wakeups, 3);
    assert_eq!(stats.latest_wakeup, Duration::from_millis(480));
}
