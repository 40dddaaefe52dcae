//! `release --status` and `audit` of a repository with proofs and records, by a real cosign and a key.

mod findings;
pub(crate) mod scene;
mod status;
