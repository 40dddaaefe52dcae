//! Who is believed, and what for: the one module that starts cosign and reads bundles and statements.
//!
//! A proof is the receipt of a platform as a signed statement. A release record is what the registry keeps
//! about a version. cosign says whether a signature holds, and nothing of what is signed: it verifies a signed
//! FAILED, two subjects and any resource. What is signed is judged here, in the very bytes that cosign verifies.

mod bundle;
mod cosign;
mod images;
mod judge;
mod policy;
mod record;
mod results;
mod signer;
mod statement;
mod summary_shape;
mod time;
mod trust;
mod verification;

pub use self::bundle::{BUNDLE_TYPE, Bundle, LONGEST_BUNDLE};
pub use self::images::SIGNATURE;
pub use self::judge::{ProofWanted, RecordWanted};
pub use self::record::{LatestMove, RELEASE_RECORD, ReleaseRecord, ReleaseState, check_reason};
pub use self::results::unmet;
pub use self::signer::Signer;
pub use self::statement::Statement;
pub use self::trust::{Evidence, Trust, TrustedProof, TrustedRecord};
pub use self::verification::{VERIFICATION, Verification};
