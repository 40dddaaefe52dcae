//! A connection that hears an answer even when it can no longer send: a registry, or a proxy before it,
//! may refuse a layer before it has read it (413), and close.

use std::io::ErrorKind;

use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

/// How long an answer is waited for after the other side has stopped reading.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Makes connections patient.
#[derive(Debug)]
pub(super) struct Patient;

impl<In: Transport> Connector<In> for Patient {
    type Out = Either<In, PatientTransport<In>>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| {
            Either::B(PatientTransport {
                inner,
                broken: None,
            })
        }))
    }
}

/// A connection that takes a broken write for a sent one, and lets the answer tell.
#[derive(Debug)]
pub(super) struct PatientTransport<T> {
    inner: T,
    /// Why nothing is sent any more. What else is to be sent is dropped.
    broken: Option<Error>,
}

impl<T: Transport> Transport for PatientTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.broken.is_some() {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(error) if stops_reading(&error) => {
                self.broken = Some(error);
                Ok(())
            }
            result => result,
        }
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if self.broken.is_some() && timeout.after > LAST_WORDS {
            timeout.after = LAST_WORDS;
        }
        match (self.inner.await_input(timeout), self.broken.take()) {
            (Ok(true), broken) => {
                self.broken = broken;
                Ok(true)
            }
            // Nothing was said: it is the write that failed.
            (Ok(false) | Err(_), Some(broken)) => Err(broken),
            (result, None) => result,
        }
    }

    fn is_open(&mut self) -> bool {
        self.broken.is_none() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

fn stops_reading(error: &Error) -> bool {
    match error {
        Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
        ),
        Error::Timeout(Timeout::PerWrite) => true,
        _ => false,
    }
}
