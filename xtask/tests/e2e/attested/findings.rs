//! `audit`.
