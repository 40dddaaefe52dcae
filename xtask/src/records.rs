//! Release records: what a repository keeps about each of its versions, so that every machine decides alike.
//!
//! A record is an artifact of the version's index, under the tag `state-vX.Y.Z` and among the index's
//! referrers. Whoever may push can delete the tag, or put an older record back under it: so the record with the
//! highest sequence counts, wherever it is.

mod read;
mod recorded;
mod write;

pub(crate) use self::read::{ReadRecords, Records};
pub(crate) use self::recorded::{Doubt, Recorded, RecordedVersion, highest};
pub(crate) use self::write::{RecordChange, RecordOutcome, RecordWriter};
