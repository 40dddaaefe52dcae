//! Why a request has no answer.

use std::io::{self, ErrorKind};

/// Whether another try may do better. Where nobody listens it will not.
pub(crate) fn is_transient(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => {
            tls_error(error).is_none()
                && matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset
                        | ErrorKind::ConnectionAborted
                        | ErrorKind::BrokenPipe
                        | ErrorKind::UnexpectedEof
                        | ErrorKind::TimedOut
                )
        }
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

/// Whether the other side's certificate is not trusted.
pub(crate) fn is_distrusted(error: &ureq::Error) -> bool {
    let error = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => tls_error(error),
        _ => None,
    };
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
