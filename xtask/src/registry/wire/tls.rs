//! TLS, with the machine's certificates read once in a process.

use std::sync::LazyLock;

use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector, RustlsConnector, Transport};

/// Reading the certificates takes longer than a handshake.
static CONNECTOR: LazyLock<RustlsConnector> = LazyLock::new(RustlsConnector::default);

/// TLS for every connection to an `https` address.
#[derive(Debug)]
pub(super) struct Tls;

impl<In: Transport> Connector<In> for Tls {
    type Out = <RustlsConnector as Connector<In>>::Out;

    /// A request with a time limit of its own would read the certificates anew, so it is passed off
    /// as one without: no request differs in what TLS depends on.
    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        CONNECTOR.connect(&details, chained)
    }
}
