//! Days: one of the calendar, as a setting has it and a label keeps it; and ages in whole days.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The length of a day in UTC.
pub const DAY: Duration = Duration::from_hours(24);

/// Whole days from `time` to `now`; 0 for a time that is yet to come, as clocks differ.
pub fn age(time: SystemTime, now: SystemTime) -> u64 {
    let age = now.duration_since(time).unwrap_or_default();
    age.as_secs() / DAY.as_secs()
}

/// `1 day`, `2 days`.
pub fn days(count: u64) -> String {
    format!("{count} day{}", if count == 1 { "" } else { "s" })
}

/// A day in UTC, from 1970 to 9999: `2026-11-29`. Days are in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(String);

impl Day {
    /// The day of a moment, in UTC. Fails before 1970 and after 9999.
    pub fn of(time: SystemTime) -> Result<Day, String> {
        let seconds = time.duration_since(UNIX_EPOCH).map(|since| since.as_secs());
        let text = seconds.ok().filter(|seconds| *seconds < 253_402_300_800);
        let text = text.map(|seconds| {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            humantime::format_rfc3339_seconds(time).to_string()
        });
        let text = text.ok_or("no day from 1970 to 9999 has this time")?;
        text[..10].parse()
    }

    /// Its first moment.
    pub fn start(&self) -> SystemTime {
        midnight(&self.0).unwrap_or(UNIX_EPOCH)
    }

    /// Whole days from this day to that of `time`; none when it is later.
    pub fn age(&self, time: SystemTime) -> Option<u64> {
        (time >= self.start()).then(|| age(self.start(), time))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn midnight(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok()
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Day {
    type Err = String;

    /// Takes what ISO 8601 writes as `YYYY-MM-DD`, of a day that there is.
    fn from_str(text: &str) -> Result<Self, String> {
        let has_form = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        // What is read must be written the same: a reader may roll 31 April over to May.
        let is_day = has_form
            && midnight(text).is_some_and(|time| {
                let written = humantime::format_rfc3339_seconds(time).to_string();
                written.starts_with(text)
            });
        if !is_day {
            return Err(format!(
                "`{text}` is not a day; write it as in `2026-11-29`"
            ));
        }
        Ok(Day(text.to_owned()))
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one_that_there_is() {
        for good in [
            "2026-11-29",
            "2024-02-29",
            "2000-02-29",
            "1970-01-01",
            "9999-12-31",
        ] {
            assert_eq!(good.parse::<Day>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "2026-11-31",
            "2026-02-29",
            "2100-02-29",
            "2026-00-01",
            "2026-13-01",
            "2026-01-00",
            "2026-1-01",
            "26-11-29",
            "2026/11/29",
            "2026-11-29 ",
            " 2026-11-29",
            "2026-11-2９",
            "+026-11-29",
            "1969-12-31",
            "2026-11-29T00:00:00Z",
            "today",
            "2026-W48-7",
        ] {
            let why = bad.parse::<Day>().unwrap_err();
            assert!(why.contains("is not a day"), "{bad}: {why}");
        }
    }

    #[test]
    fn ages_are_in_whole_days() {
        let now = UNIX_EPOCH + 10 * DAY;
        let second = Duration::from_secs(1);
        for (time, expected) in [
            (now, 0),
            (now - DAY + second, 0),
            (now - DAY, 1),
            (now - 3 * DAY, 3),
            (now + 3 * DAY, 0),
        ] {
            assert_eq!(age(time, now), expected);
        }
        assert_eq!([0, 1, 2].map(days), ["0 days", "1 day", "2 days"]);
    }

    #[test]
    fn days_have_an_order_and_an_age() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        assert!(day("2025-12-31") < day("2026-01-01"));
        let at = |text: &str| humantime::parse_rfc3339(text).unwrap();
        for (time, age) in [
            ("2026-11-29T00:00:00Z", Some(0)),
            ("2026-11-29T23:59:59Z", Some(0)),
            ("2026-11-30T00:00:00Z", Some(1)),
            ("2026-11-28T23:59:59Z", None),
        ] {
            assert_eq!(day("2026-11-29").age(at(time)), age, "{time}");
        }
        assert_eq!(Day::of(at("2026-11-29T23:59:59Z")), Ok(day("2026-11-29")));
        assert!(Day::of(UNIX_EPOCH - Duration::from_secs(1)).is_err());
    }
}
