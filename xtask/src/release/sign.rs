//! Signatures of what is released: `crate::proof` makes them.

pub(super) use crate::proof::Signer;
