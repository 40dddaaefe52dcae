//! Times in statements: RFC 3339, in UTC, and not in the future.

use std::time::{Duration, SystemTime};

use crate::oci::Unclear;
use crate::printable::Printable;

/// By how much the clocks of two machines may differ.
const SKEW: Duration = Duration::from_mins(5);

/// Reads a time such as `2026-11-25T05:13:09Z`.
pub(super) fn parse_time(text: &str) -> Result<SystemTime, Unclear> {
    humantime::parse_rfc3339(text).map_err(|_| {
        let text = Printable(text);
        Unclear::new(format!("`{text}` is not a time in UTC as RFC 3339 has it"))
    })
}

/// Why a time is not one that can have been, if it is not.
pub(super) fn future(text: &str, now: SystemTime) -> Option<String> {
    match parse_time(text) {
        Ok(time) if time > now + SKEW => Some(format!("its time `{text}` is in the future")),
        Ok(_) => None,
        Err(why) => Some(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_five_minutes_ahead() {
        let now = humantime::parse_rfc3339("2026-11-25T05:00:00Z").unwrap();
        for (text, is_past) in [
            ("1970-01-01T00:00:00Z", true),
            ("2026-11-25T05:00:00.5Z", true),
            ("2026-11-25T05:05:00Z", true),
            ("2026-11-25T05:05:01Z", false),
            ("9999-12-31T23:59:59Z", false),
            ("2026-11-25T05:00:00", false),
            ("2026-13-25T05:00:00Z", false),
            ("", false),
        ] {
            assert_eq!(future(text, now).is_none(), is_past, "{text}");
        }
    }
}
