//! What a repository says about a version, and which of several records counts.

use crate::oci::Digest;
use crate::proof::{ReleaseRecord, ReleaseState};
use crate::version::{Version, is_stable};

/// What a repository says about a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It has no record of it.
    Absent,
    /// It has one that is believed.
    Believed(ReleaseRecord),
    /// The newest that is believed is not under its tag: that was deleted, or leads to an older one.
    Displaced(ReleaseRecord),
    /// It has one under its tag that is not believed.
    Doubted(Doubt),
}

/// Why a record does not count, and what is known besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) why: String,
    /// What it says, whoever has signed it; none where it is not of the version.
    pub(crate) claim: Option<Box<ReleaseRecord>>,
    /// The newest among the referrers that is believed.
    pub(crate) last: Option<Box<ReleaseRecord>>,
}

impl Doubt {
    pub(crate) fn new(why: impl Into<String>) -> Doubt {
        Doubt {
            why: why.into(),
            claim: None,
            last: None,
        }
    }

    /// What a new record goes on from: a withdrawal is not forgotten because nobody believes its signature any
    /// more.
    pub(crate) fn said(&self) -> Option<&ReleaseRecord> {
        self.last.as_deref().or(self.claim.as_deref())
    }
}

impl Recorded {
    pub(crate) fn doubted(why: impl Into<String>) -> Recorded {
        Recorded::Doubted(Doubt::new(why))
    }

    /// The record, if it is believed.
    pub(crate) fn believed(&self) -> Option<&ReleaseRecord> {
        match self {
            Recorded::Believed(record) | Recorded::Displaced(record) => Some(record),
            Recorded::Absent | Recorded::Doubted(_) => None,
        }
    }

    /// The record of a version that counts: it is believed, and the version is not withdrawn.
    pub(crate) fn counting(&self) -> Option<&ReleaseRecord> {
        self.believed().filter(|record| record.counts())
    }

    /// The record of a version that is withdrawn.
    pub(crate) fn withdrawn(&self) -> Option<&ReleaseRecord> {
        self.believed().filter(|record| !record.counts())
    }
}

/// A version that a repository lists, and what it says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedVersion {
    pub(crate) version: Version,
    pub(crate) recorded: Recorded,
}

/// The highest stable version that counts, with the digest that its record names.
pub(crate) fn highest(versions: &[RecordedVersion]) -> Option<(Version, Digest)> {
    let stable = versions.iter().filter(|one| is_stable(&one.version));
    let counting = stable.filter_map(|one| Some((&one.version, &one.recorded.counting()?.digest)));
    let (version, digest) = counting.max_by_key(|(version, _)| *version)?;
    Some((version.clone(), digest.clone()))
}

/// Of two records of a version the one that counts: the later, and of two that were written at once the one
/// that withdraws.
fn newer(one: ReleaseRecord, other: ReleaseRecord) -> ReleaseRecord {
    let rank = |record: &ReleaseRecord| (record.sequence, record.state == ReleaseState::Withdrawn);
    if rank(&other) > rank(&one) {
        other
    } else {
        one
    }
}

/// What counts of a record under its tag and of those among the referrers that are believed.
pub(super) fn newest(
    tagged: Recorded,
    attached: impl IntoIterator<Item = ReleaseRecord>,
) -> Recorded {
    let Some(attached) = attached.into_iter().reduce(newer) else {
        return tagged;
    };
    match tagged {
        Recorded::Doubted(doubt) => Recorded::Doubted(Doubt {
            last: Some(Box::new(attached)),
            ..doubt
        }),
        Recorded::Absent => Recorded::Displaced(attached),
        Recorded::Believed(tagged) | Recorded::Displaced(tagged) => {
            let newest = newer(tagged.clone(), attached);
            if newest == tagged {
                Recorded::Believed(tagged)
            } else {
                Recorded::Displaced(newest)
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
