//! Which counters of which sender were seen: a sliding window per interface and sender process (as in RFC 4303 §3.4.3).
//!
//! Bounded: a process forgotten for lack of room starts with an empty window, and the core's epochs and incarnations
//! then judge what it says.

use std::collections::BTreeMap;

use ringbolt_l2::types::IfIndex;

/// Counters remembered behind the highest seen.
pub(super) const WINDOW: u64 = 64;
/// Windows kept at most: 5,000 nodes with two lives each, and room.
const WINDOWS_MAX: usize = 16_384;

#[derive(Debug, Clone, Copy)]
struct Window {
    highest: u64,
    /// Bit n: the counter `highest - n` was seen.
    seen: u64,
    /// When it last admitted something, in admissions.
    used: u64,
}

/// All windows.
#[derive(Debug)]
pub(super) struct Windows<Process> {
    windows: BTreeMap<(IfIndex, Process), Window>,
    admissions: u64,
}

impl<Process> Default for Windows<Process> {
    fn default() -> Self {
        Self {
            windows: BTreeMap::new(),
            admissions: 0,
        }
    }
}

impl<Process: Ord + Clone> Windows<Process> {
    /// Whether the counter is new; it is not from then on.
    pub(super) fn admit(&mut self, interface: IfIndex, process: &Process, counter: u64) -> bool {
        self.admissions += 1;
        let key = (interface, process.clone());
        let Some(window) = self.windows.get_mut(&key) else {
            self.make_room();
            self.windows.insert(
                key,
                Window {
                    highest: counter,
                    seen: 1,
                    used: self.admissions,
                },
            );
            return true;
        };
        if counter > window.highest {
            let ahead = counter - window.highest;
            window.seen = if ahead < WINDOW {
                (window.seen << ahead) | 1
            } else {
                1
            };
            window.highest = counter;
        } else {
            let behind = window.highest - counter;
            if behind >= WINDOW || window.seen & (1 << behind) != 0 {
                return false;
            }
            window.seen |= 1 << behind;
        }
        window.used = self.admissions;
        true
    }

    /// Forgets the quarter that was used least recently; rare, so a scan is fine.
    fn make_room(&mut self) {
        if self.windows.len() < WINDOWS_MAX {
            return;
        }
        let mut ages: Vec<u64> = self.windows.values().map(|window| window.used).collect();
        ages.sort_unstable();
        let oldest_kept = ages.get(WINDOWS_MAX / 4).copied().unwrap_or_default();
        self.windows.retain(|_, window| window.used >= oldest_kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_is_admitted_once_in_any_order_within_the_window() {
        let mut windows = Windows::default();
        for counter in [5, 3, 4, 6 + WINDOW, 5 + WINDOW, 7] {
            assert!(
                windows.admit(IfIndex(1), &"a", counter),
                "{counter} the first time"
            );
            assert!(
                !windows.admit(IfIndex(1), &"a", counter),
                "{counter} the second time"
            );
        }
        assert!(!windows.admit(IfIndex(1), &"a", 6), "behind the window");
    }

    #[test]
    fn senders_and_interfaces_have_windows_of_their_own() {
        let mut windows = Windows::default();
        assert!(windows.admit(IfIndex(1), &"a", 9));
        assert!(windows.admit(IfIndex(2), &"a", 9));
        assert!(windows.admit(IfIndex(1), &"b", 9));
    }

    #[test]
    fn a_jump_of_the_counter_forgets_nothing_that_could_come_back() {
        let mut windows = Windows::default();
        assert!(windows.admit(IfIndex(1), &"a", 1));
        assert!(windows.admit(IfIndex(1), &"a", u64::MAX));
        assert!(!windows.admit(IfIndex(1), &"a", 1));
        assert!(!windows.admit(IfIndex(1), &"a", 2));
    }

    #[test]
    fn memory_is_bounded() {
        let mut windows = Windows::default();
        for process in 0..3 * WINDOWS_MAX {
            assert!(windows.admit(IfIndex(1), &process, 0));
            assert!(windows.windows.len() <= WINDOWS_MAX);
        }
        let newest = 3 * WINDOWS_MAX - 1;
        assert!(
            !windows.admit(IfIndex(1), &newest, 0),
            "the newest was forgotten"
        );
    }
}
