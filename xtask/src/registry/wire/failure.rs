//! Why a request has no answer.

use std::io::{self, ErrorKind};

use rustls::CertificateError;

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

/// What is wrong with the other side's TLS, if that is why, and what can be done.
pub(crate) fn distrust(error: &ureq::Error) -> Option<&'static str> {
    let error = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => tls_error(error),
        _ => None,
    };
    match error? {
        rustls::Error::InvalidCertificate(wrong) => Some(wrong_with(wrong)),
        // What else than TLS has an answer in another form.
        rustls::Error::InvalidMessage(_) => Some(
            "it does not speak TLS; hint: only a registry on this machine may do without, ask its \
             operator for TLS",
        ),
        _ => None,
    }
}

fn wrong_with(certificate: &CertificateError) -> &'static str {
    match certificate {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name; hint: use the name that it is for, or ask its \
             operator"
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid at this time; hint: check the clock, or ask its operator"
        }
        _ => {
            "its certificate is not trusted; hint: name the file with the certificate of its CA in \
             SSL_CERT_FILE"
        }
    }
}

pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use rustls::{Error as Tls, InvalidMessage};
    use ureq::{Error, Timeout};

    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (error, expected) in [
            (Error::Io(ErrorKind::ConnectionReset.into()), true),
            (Error::Io(ErrorKind::BrokenPipe.into()), true),
            (Error::Io(ErrorKind::UnexpectedEof.into()), true),
            (Error::Timeout(Timeout::Global), true),
            (Error::Io(ErrorKind::ConnectionRefused.into()), false),
            (Error::HostNotFound, false),
            (
                Error::Io(io::Error::other(Tls::HandshakeNotComplete)),
                false,
            ),
        ] {
            assert_eq!(is_transient(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_taken_says_what_can_be_done() {
        let wrong = |wrong| Tls::InvalidCertificate(wrong);
        for (error, expected) in [
            (
                wrong(CertificateError::UnknownIssuer),
                Some("SSL_CERT_FILE"),
            ),
            (wrong(CertificateError::BadSignature), Some("SSL_CERT_FILE")),
            (
                wrong(CertificateError::NotValidForName),
                Some("another name"),
            ),
            (wrong(CertificateError::Expired), Some("check the clock")),
            (
                Tls::InvalidMessage(InvalidMessage::InvalidContentType),
                Some("does not speak TLS"),
            ),
            (Tls::HandshakeNotComplete, None),
        ] {
            let shown = error.to_string();
            let both = [
                Error::Io(io::Error::other(error.clone())),
                Error::Rustls(error),
            ];
            for error in both {
                let found = distrust(&error);
                let is_expected = match (found, expected) {
                    (Some(found), Some(expected)) => found.contains(expected),
                    (found, expected) => found == expected,
                };
                assert!(is_expected, "{shown}: {found:?}");
            }
        }
        assert_eq!(distrust(&Error::HostNotFound), None);
    }
}
