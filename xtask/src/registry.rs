//! A client of image registries: reads tags, manifests and blobs, uploads and deletes them.
//!
//! A tag is absent only if the registry itself says so. A registry that is busy, broken, out of
//! reach or that asks for credentials is an error.
//!
//! [`Puller`] reads, [`Pusher`] writes and [`Deleter`] deletes; each asks for no more permission than
//! that. What all have in common is in `transport`.

mod address;
mod answer;
mod challenge;
mod credentials;
mod deleter;
mod endpoint;
mod link;
mod proxy;
mod puller;
mod pusher;
mod tag_list;
#[cfg(test)]
mod tests;
mod token;
mod transport;
mod verified;
mod wire;

use self::answer::Access;
pub(crate) use self::answer::{Unusable, goes_on};
pub(crate) use self::deleter::{Deleter, Deletion};
use self::endpoint::Endpoint;
pub(crate) use self::endpoint::stand_in;
pub use self::puller::Puller;
pub use self::pusher::Pusher;
pub(crate) use self::pusher::{Put, Upload, WriteAccess};
pub(crate) use self::tag_list::TagList;
use crate::exec::Exec;
use crate::reference::Repository;
use crate::retry::Retry;

/// One repository in its registry, for who reads and writes it: both have the same connections and
/// tokens.
#[derive(Clone)]
pub struct Registry(Endpoint);

impl Registry {
    /// The registry of `repository`. Each request is tried again by itself. On the test bed its
    /// registry stands for Docker Hub.
    pub fn new(exec: &Exec, repository: &Repository) -> Registry {
        Registry(Endpoint::new(exec, repository))
    }

    /// [`Registry::new`] for who tries whole steps again, as `steps` says, and observes anew each time:
    /// a request is sent once, and is answered within the time of a step.
    pub fn in_steps(exec: &Exec, repository: &Repository, steps: Retry) -> Registry {
        Registry(Endpoint::in_steps(exec, repository, steps))
    }

    pub fn puller(&self) -> Puller {
        Puller::of(self.0.clone(), Access::Pull)
    }

    pub fn pusher(&self) -> Pusher {
        Pusher::of(self.0.clone())
    }

    pub(crate) fn deleter(&self) -> Deleter {
        Deleter::of(self.0.clone())
    }
}
