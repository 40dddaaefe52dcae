//! What is known of one version: plain data from what was read.

use serde::Serialize;

use crate::attested::PublishedImage;
use crate::oci::Digest;
use crate::printable;
use crate::proof::{ReleaseRecord, ReleaseState};
use crate::records::{ReadRecords, Recorded};
use crate::version::Version;

/// The longest name of a signer in the table, in characters. JSON has the whole.
const LONGEST: usize = 40;

/// A version in git or in the registry.
#[derive(Debug, Serialize)]
pub(super) struct VersionRow {
    pub(super) version: String,
    /// The commit of the git tag; none when the clone has no such tag.
    pub(super) revision: Option<String>,
    /// None when it is not published.
    pub(super) digest: Option<Digest>,
    #[serde(rename = "latest")]
    pub(super) is_latest: bool,
    pub(super) state: State,
    /// The record that counts, if it is believed.
    pub(super) record: Option<RecordRow>,
    pub(super) platforms: Vec<PlatformRow>,
    /// What else is to be known, each as a sentence about it.
    pub(super) notes: Vec<String>,
}

/// What a version is by its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Released,
    Withdrawn,
    Restored,
    /// It has no record.
    None,
    NotBelieved,
    /// Signatures cannot be verified here.
    Unknown,
}

#[derive(Debug, Serialize)]
pub(super) struct RecordRow {
    pub(super) sequence: u64,
    /// RFC 3339, in UTC.
    pub(super) time: String,
    pub(super) reason: Option<String>,
    /// Who has signed it; none where no signature is asked for.
    pub(super) by: Option<String>,
}

/// A platform of a version.
#[derive(Debug, Serialize)]
pub(super) struct PlatformRow {
    pub(super) platform: String,
    pub(super) manifest: Digest,
    /// Who has signed its proof; none where it is not proven, or that is unknown.
    pub(super) proven_by: Option<String>,
    /// Why it is not proven.
    pub(super) why: Option<String>,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            State::Released => "released",
            State::Withdrawn => "withdrawn",
            State::Restored => "restored",
            State::None => "none",
            State::NotBelieved => "not believed",
            State::Unknown => "unknown",
        }
    }
}

impl From<ReleaseState> for State {
    fn from(state: ReleaseState) -> State {
        match state {
            ReleaseState::Released => State::Released,
            ReleaseState::Withdrawn => State::Withdrawn,
            ReleaseState::Restored => State::Restored,
        }
    }
}

impl VersionRow {
    /// A version of which nothing is read yet.
    pub(super) fn new(version: &Version, revision: Option<String>) -> VersionRow {
        VersionRow {
            version: version.to_string(),
            revision,
            digest: None,
            is_latest: false,
            state: State::None,
            record: None,
            platforms: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn is_published(&mut self, digest: &Digest, image: &PublishedImage) {
        self.digest = Some(digest.clone());
        let platforms = image.platforms.iter().map(|one| PlatformRow {
            platform: one.name.clone(),
            manifest: one.manifest.clone(),
            proven_by: None,
            why: None,
        });
        self.platforms = platforms.collect();
        if let Some(fault) = &image.fault {
            self.note(format!("nothing proves it: {}", printable::short(fault)));
        }
    }

    pub(super) fn is_unknown(&mut self) {
        self.state = State::Unknown;
    }

    /// `read` is what its records say, if they could be judged.
    pub(super) fn is_recorded(&mut self, read: &ReadRecords, is_known: bool) {
        if !is_known {
            return self.is_unknown();
        }
        let record = match &read.newest {
            Recorded::Absent => return,
            Recorded::Doubted(doubt) => return self.doubt(&doubt.why),
            Recorded::Believed(record) | Recorded::Displaced(record) => record,
        };
        self.state = record.state.into();
        self.note_reason(record);
        if matches!(read.newest, Recorded::Displaced(_)) {
            let (sequence, tag) = (record.sequence, tag(&self.version));
            self.note(format!(
                "its newest record, {sequence}, is not under `{tag}`: somebody has deleted or replaced \
                 that; `cargo xtask audit` has the remedy"
            ));
        }
        self.record = Some(RecordRow {
            sequence: record.sequence,
            time: record.time.clone(),
            reason: record.reason.clone(),
            by: read.by.clone(),
        });
    }

    fn note_reason(&mut self, record: &ReleaseRecord) {
        let reason = record.reason.as_deref();
        if record.counts() && reason.is_none() {
            return;
        }
        let (state, time) = (record.state, &record.time);
        let reason = printable::line(reason.unwrap_or("no reason given"));
        self.note(format!("{state} ({time}): {reason}"));
    }

    fn doubt(&mut self, why: &str) {
        self.state = State::NotBelieved;
        let why = printable::short(why);
        self.note(format!("its record is not believed: {why}"));
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Who has proven each platform, or why nobody has; in the order of the platforms.
    pub(super) fn are_proven(&mut self, proofs: Vec<Result<String, String>>) {
        for (platform, proof) in self.platforms.iter_mut().zip(proofs) {
            match proof {
                Ok(by) => platform.proven_by = Some(by),
                Err(why) => {
                    let name = &platform.platform;
                    self.notes.push(format!("{name} is not proven: {why}"));
                    platform.why = Some(why);
                }
            }
        }
    }

    /// Who has proven it, shortly: all platforms at once where that is the same.
    pub(super) fn proven(&self) -> String {
        let short = |platform: &PlatformRow| match &platform.proven_by {
            Some(by) => cut(by.strip_prefix("the ").unwrap_or(by)),
            None => "no".to_owned(),
        };
        let mut all = self.platforms.iter().map(short);
        match all.next() {
            None => String::new(),
            Some(first) if all.all(|one| one == first) => first,
            Some(_) => {
                let each = self.platforms.iter();
                let each = each.map(|one| format!("{} {}", one.platform, short(one)));
                each.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// The name of a record's tag.
fn tag(version: &str) -> String {
    format!("state-v{version}")
}

fn cut(text: &str) -> String {
    let start: String = text.chars().take(LONGEST).collect();
    if start.len() < text.len() {
        format!("{start}…")
    } else {
        start
    }
}

#[cfg(test)]
mod tests;
