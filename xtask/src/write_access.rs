//! Whether an account may write, asked before work that would be wasted or left half done.
//!
//! A push that is refused after a build of ten minutes is what users of other builders ask not to have
//! (GoogleContainerTools/skaffold#5717, ko-build/ko#539, SkipLabs/skip#1377), and a question that stops a build by
//! itself is no better (GoogleContainerTools/kaniko#2657).

use crate::reference::Repository;
use crate::registry::{Pusher, WriteAccess};
use crate::retry::Transient;

/// Asks the registry. Fails when the account may not write there; where that is not known there is a note,
/// and the write itself will tell.
pub(crate) fn check(pusher: &Pusher, repository: &Repository) -> anyhow::Result<()> {
    if let Some(why) = doubt(pusher.check_access())? {
        crate::say::errln!(
            "note: whether this account may push to `{repository}` is not known before the push: {why}"
        );
    }
    Ok(())
}

/// Why it is not known whether the account may write.
fn doubt(said: anyhow::Result<WriteAccess>) -> anyhow::Result<Option<String>> {
    match said {
        Ok(WriteAccess::Given) => Ok(None),
        Ok(WriteAccess::Unknown(why)) => Ok(Some(why)),
        Err(error) if error.is::<Transient>() => Ok(Some(format!("{error:#}"))),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_no_is_an_error() {
        let doubt = |said| doubt(said).map_err(|error| error.to_string());
        assert_eq!(doubt(Ok(WriteAccess::Given)), Ok(None));
        let why = "405 Method Not Allowed".to_owned();
        assert_eq!(doubt(Ok(WriteAccess::Unknown(why.clone()))), Ok(Some(why)));
        let busy = Transient::new("busy".to_owned()).into();
        assert_eq!(doubt(Err(busy)), Ok(Some("busy".to_owned())));
        assert_eq!(doubt(Err(anyhow::anyhow!("no"))), Err("no".to_owned()));
    }
}
