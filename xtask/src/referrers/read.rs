//! Reads what is attached to a manifest. Whoever may push could have written it: it is bounded, and it is
//! refused unless it has one of our forms.

use super::artifact::{Artifact, Form, Head, LONGEST_LAYER};
use super::list::list;
use crate::oci::{Digest, EMPTY_JSON, Referrer, Unclear};
use crate::registry::{Puller, Unusable};
use crate::threads;

/// How many artifacts of one manifest are read.
const MOST: usize = 64;

/// What an entry of a list leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Artifact(Artifact),
    /// The registry has not the manifest any more: the entry dangles.
    Gone,
    /// It has none of our forms, or is of another manifest; and why.
    Unusable(String),
}

/// What [`find`] has found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Each with its entry.
    pub read: Vec<(Referrer, Content)>,
    /// How many more there are that were not read.
    pub unread: usize,
    /// As in [`super::Listed`].
    pub fault: Option<String>,
}

/// Lists and reads the statements about `subject` whose predicate has the type `predicate_type`, signed or
/// not; at most 64. Left out without reading are those whose entry names another type.
pub fn find(puller: &Puller, subject: &Digest, predicate_type: &str) -> anyhow::Result<Found> {
    find_others(puller, subject, predicate_type, None)
}

/// [`find`] without one that is known already, by its digest.
pub(crate) fn find_others(
    puller: &Puller,
    subject: &Digest,
    predicate_type: &str,
    known: Option<&Digest>,
) -> anyhow::Result<Found> {
    let mut listed = list(puller, subject)?;
    listed.referrers.retain(|one| Some(one.digest()) != known);
    let (wanted, unread) = wanted(listed.referrers, predicate_type);
    let contents = threads::each(&wanted, |referrer| read(puller, subject, referrer))?;
    Ok(Found {
        read: wanted.into_iter().zip(contents).collect(),
        unread,
        fault: listed.fault,
    })
}

/// The referrers that may be statements with a predicate of the type, and how many more there are. Those
/// whose entry says so come first: others may be many. Of too many of these the oldest and the newest are taken: no
/// one who only adds to a list hides what was there before, nor what is added to it later.
fn wanted(listed: Vec<Referrer>, predicate_type: &str) -> (Vec<Referrer>, usize) {
    let mut ranked: Vec<(bool, Referrer)> = Vec::new();
    for referrer in listed {
        let is_known = ranked
            .iter()
            .any(|(_, one)| one.digest() == referrer.digest());
        if let Some(is_sure) = rank(&referrer, predicate_type).filter(|_| !is_known) {
            ranked.push((!is_sure, referrer));
        }
    }
    ranked.sort_by_key(|(is_unsure, _)| *is_unsure);
    let unread = ranked.len().saturating_sub(MOST);
    let sure = ranked.iter().filter(|(is_unsure, _)| !is_unsure).count();
    if sure > MOST {
        ranked.truncate(sure);
        ranked.drain(MOST / 2..sure - MOST / 2);
    }
    let wanted = ranked.into_iter().take(MOST).map(|(_, referrer)| referrer);
    (wanted.collect(), unread)
}

/// Whether an entry says that it is a statement of the type; none when it says that it is another.
fn rank(referrer: &Referrer, predicate_type: &str) -> Option<bool> {
    let kinds = [Form::Bundle, Form::Statement];
    let annotations = &referrer.descriptor.annotations;
    let mut named = kinds
        .iter()
        .filter_map(|form| annotations.get(form.predicate_key()));
    if let Some(named) = named.next() {
        return (named == predicate_type).then_some(true);
    }
    match referrer.artifact_type.as_deref() {
        // cosign writes the type of the configuration, and no annotations (sigstore/cosign#4641).
        None | Some(EMPTY_JSON) => Some(false),
        Some(kind) => kinds
            .iter()
            .any(|form| form.media_type() == kind)
            .then_some(false),
    }
}

/// Reads what a list of the referrers of `subject` names.
///
/// Fails only where the registry does not answer: what is wrong with one thing is in the [`Content`].
pub fn read(puller: &Puller, subject: &Digest, referrer: &Referrer) -> anyhow::Result<Content> {
    let descriptor = &referrer.descriptor;
    let Some((_, bytes)) = (match usable(puller.manifest(descriptor.digest.as_str()))? {
        Ok(found) => found,
        Err(why) => return Ok(Content::Unusable(why)),
    }) else {
        return Ok(Content::Gone);
    };
    if let Err(why) = descriptor.manifest(&bytes) {
        return Ok(Content::Unusable(why.to_string()));
    }
    whole(puller, bytes, Some(subject))
}

/// Reads what a tag leads to; none where the tag is absent. Of what manifest it is, the artifact says.
pub fn read_tag(puller: &Puller, tag: &str) -> anyhow::Result<Option<Content>> {
    match usable(puller.manifest(tag))? {
        Ok(Some((_, bytes))) => whole(puller, bytes, None).map(Some),
        Ok(None) => Ok(None),
        Err(why) => Ok(Some(Content::Unusable(why))),
    }
}

/// An artifact with the layer that its manifest names.
fn whole(puller: &Puller, bytes: Vec<u8>, of: Option<&Digest>) -> anyhow::Result<Content> {
    let head = match Head::parse(&bytes) {
        Ok(head) => head,
        Err(why) => return Ok(Content::Unusable(why.to_string())),
    };
    if of.is_some_and(|subject| head.subject != *subject) {
        let why = format!("its `subject` is `{}`", head.subject);
        return Ok(Content::Unusable(why));
    }
    let layer = match usable(puller.blob_within(&head.layer.digest, LONGEST_LAYER))? {
        Ok(Some(layer)) => layer,
        Ok(None) => return Ok(Content::Unusable("its layer is gone".to_owned())),
        Err(why) => return Ok(Content::Unusable(why)),
    };
    if u64::try_from(layer.len()) != Ok(head.layer.size) {
        let (found, expected) = (layer.len(), head.layer.size);
        let why = format!("its layer has {found} bytes instead of {expected}");
        return Ok(Content::Unusable(why));
    }
    Ok(Content::Artifact(Artifact {
        digest: Digest::of(&bytes),
        manifest: bytes,
        subject: head.subject,
        form: head.form,
        annotations: head.annotations,
        layer,
    }))
}

/// What was read, or why this one thing cannot be. Fails where the registry does not answer.
fn usable<T>(read: anyhow::Result<T>) -> anyhow::Result<Result<T, String>> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(error) if error.is::<Unusable>() || error.is::<Unclear>() => {
            Ok(Err(format!("{error:#}")))
        }
        Err(error) => Err(error),
    }
}
