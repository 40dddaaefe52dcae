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

/// What is wrong with the other side's certificate, if that is why, and what can be done.
pub(crate) fn distrust(error: &ureq::Error) -> Option<&'static str> {
    use rustls::CertificateError as Wrong;
    let error = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => tls_error(error),
        _ => None,
    };
    let rustls::Error::InvalidCertificate(wrong) = error? else {
        return None;
    };
    Some(match wrong {
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            "its certificate is for another name; hint: use the name that it is for, or ask its \
             operator"
        }
        Wrong::Expired
        | Wrong::ExpiredContext { .. }
        | Wrong::NotValidYet
        | Wrong::NotValidYetContext { .. } => {
            "its certificate is not valid at this time; hint: check the clock, or ask its operator"
        }
        _ => {
            "its certificate is not trusted; hint: name the file with the certificate of its CA in \
             SSL_CERT_FILE"
        }
    })
}

pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
