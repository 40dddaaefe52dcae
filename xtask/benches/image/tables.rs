//! What was measured, of the naive image and of ours: times in one table, bytes in the other.

use std::cell::RefCell;
use std::io;

use crate::measure::{Report, Rows, Unit, Values};

const SIDES: [&str; 2] = ["naive", "ours"];

/// The values of both sides, of every round.
#[derive(Default)]
pub(crate) struct Pair {
    pub(crate) naive: Vec<f64>,
    pub(crate) ours: Vec<f64>,
}

pub(crate) struct Tables {
    times: RefCell<Report>,
    bytes: RefCell<Report>,
}

impl Tables {
    pub(crate) fn new() -> Tables {
        let times = (Unit::Seconds, Rows::Cases);
        let bytes = (Unit::Bytes, Rows::Cases);
        let report = |id, title, what| RefCell::new(Report::new(id, title, what, &SIDES));
        Tables {
            times: report("image", "image: time", times),
            bytes: report("image-bytes", "image: bytes", bytes),
        }
    }

    pub(crate) fn row(&self, what: &str, unit: Unit, pair: &Pair) {
        let table = match unit {
            Unit::Seconds => &self.times,
            Unit::Bytes => &self.bytes,
        };
        let values = [&pair.naive, &pair.ours].map(|side| Values(side.clone()));
        table.borrow_mut().row(what, values.to_vec());
    }

    /// Prints both, and puts them on the page when they are whole.
    pub(crate) fn finish(&self, is_whole: bool) -> io::Result<()> {
        for table in [&self.times, &self.bytes] {
            let table = table.borrow();
            if is_whole {
                table.finish()?;
            } else {
                table.print();
            }
        }
        Ok(())
    }
}
