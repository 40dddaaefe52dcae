//! One build at a time where a build writes and cleans.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::exec;

/// How long another build is left in peace before it is looked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes the lock that is the file `path`, which is made where there is none; waits while another
/// build has it, and says so. It keeps other builds out until the file is dropped, or the process ends
/// in any way. A file system that knows no locks keeps nobody out.
///
/// # Errors
///
/// The file cannot be made; or a signal asks for an end of the waiting.
pub(super) fn take(path: &Path) -> anyhow::Result<File> {
    let file = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| File::create(path))
        .with_context(|| format!("failed to make the lock `{}`", path.display()))?;
    let mut has_said = false;
    while let Err(TryLockError::WouldBlock) = file.try_lock() {
        if !has_said {
            crate::say::errln!("waiting for another build, which has `{}`", path.display());
            has_said = true;
        }
        exec::sleep(PAUSE)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;

    use super::*;

    #[test]
    fn it_has_one_holder_at_a_time_and_another_when_that_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("records/one.lock");
        let first = take(path).unwrap();
        let (send, receive) = channel();
        thread::scope(|scope| {
            scope.spawn(move || send.send(take(path).map(drop)).unwrap());
            let waited = receive.recv_timeout(3 * PAUSE);
            assert_eq!(waited.err(), Some(RecvTimeoutError::Timeout));
            drop(first);
            receive.recv().unwrap().unwrap();
        });
    }
}
