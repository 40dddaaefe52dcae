//! Users: who this process is, who the agent is, and who the command runs as.

use core::fmt::{self, Display, Formatter};

/// The image's user, agentgate.
pub const AGENT: Ids = Ids {
    uid: 1000,
    gid: 1000,
};

/// A user and a group, as `chown` and `docker run --user` write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub uid: u32,
    pub gid: u32,
}

impl Display for Ids {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// The user that the command runs as.
#[derive(Clone, Copy)]
pub struct User {
    pub uid: u32,
    /// This process was started as another user, so the caller's variables describe the wrong one.
    pub is_new: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_as_for_chown() {
        assert_eq!(Ids { uid: 1, gid: 20 }.to_string(), "1:20");
    }
}
