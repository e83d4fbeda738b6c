//! Connecting for those who watch descriptors: a thread connects while it lasts, since the resolver blocks, and a
//! descriptor becomes readable when it is done.

use rustix::fd::BorrowedFd;

use super::dial::{DialOptions, dial};
use super::stream::Stream;
use super::work::{Work, WorkStatus};
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Step};
use crate::server::Target;

/// getaddrinfo(3) with its modules needs some tens of kilobytes.
const STACK: usize = 256 * 1024;

/// A function of the caller's may do anything.
const OWN_STACK: usize = 2 * 1024 * 1024;

/// A connection on its way. Dropping it gives it up.
#[derive(Debug)]
pub(super) struct Dialling {
    work: Work<Result<Stream, Error>>,
    stop: Cancel,
}

impl Dialling {
    /// Begins to connect, as [`dial`] does.
    pub(super) fn begin(target: &Target, options: &DialOptions) -> Result<Self, Error> {
        let stop = Cancel::new();
        let mut options = options.clone();
        let own = options.limits.cancel.take();
        let stopped = stop.clone();
        options.limits.cancel = Some(Cancel::asking(move || {
            stopped.is_triggered() || own.as_ref().is_some_and(Cancel::is_triggered)
        }));
        let own = target.clone();
        let stack = if options.dialler.is_some() { OWN_STACK } else { STACK };
        let work = Work::begin("smtp-dial", stack, move || dial(&own, &options)).map_err(|error| {
            let text = format!("no thread to connect in: {error}");
            Error::new(Kind::Connect, Step::Connect, text).with_server(target.to_string())
        })?;
        Ok(Self { work, stop })
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&self) {
        self.stop.trigger();
    }

    /// What becomes readable when it is over.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.work.fd()
    }

    /// What came of it; `None` while it lasts.
    pub(super) fn poll(&self) -> Option<Result<Stream, Error>> {
        match self.work.poll() {
            WorkStatus::Done(result) => Some(result),
            WorkStatus::Going => None,
            WorkStatus::Died => {
                let text = "the thread that connects died";
                Some(Err(Error::new(Kind::Connect, Step::Connect, text)))
            }
        }
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        self.give_up();
    }
}
