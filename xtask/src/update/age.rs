//! Ages in whole days.

use std::time::{Duration, SystemTime};

const DAY: u64 = 24 * 60 * 60;

/// Whole days since a time. What comes later, by this machine's clock, has no age yet.
pub(super) fn age(time: SystemTime, now: SystemTime) -> u64 {
    now.duration_since(time).unwrap_or(Duration::ZERO).as_secs() / DAY
}

/// `1 day`, `2 days`.
pub(super) fn days(count: u64) -> String {
    format!("{count} day{}", if count == 1 { "" } else { "s" })
}
