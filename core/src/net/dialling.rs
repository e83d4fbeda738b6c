//! Connecting for those who watch descriptors: a thread connects while it lasts, since the resolver blocks, and a
//! descriptor becomes readable when it is done.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use super::dial::{DialOptions, dial};
use super::stream::Stream;
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Step};
use crate::server::Target;

/// getaddrinfo(3) with its modules needs some tens of kilobytes.
const STACK: usize = 256 * 1024;

/// A connection on its way. Dropping it gives it up.
#[derive(Debug)]
pub(super) struct Dialling {
    result: Receiver<Result<Stream, Error>>,
    /// Closed by the thread when the result is there.
    bell: UnixStream,
    stop: Cancel,
}

impl Dialling {
    /// Begins to connect, as [`dial`] does.
    pub(super) fn begin(target: &Target, options: &DialOptions) -> Result<Self, Error> {
        let failed = |what: &str, error: std::io::Error| {
            let text = format!("{what} to connect in: {error}");
            Error::new(Kind::Connect, Step::Connect, text).with_server(target.to_string())
        };
        let (bell, far) = UnixStream::pair().map_err(|error| failed("no descriptor", error))?;
        bell.set_nonblocking(true).map_err(|error| failed("no descriptor", error))?;
        let stop = Cancel::new();
        let mut options = options.clone();
        let own = options.limits.cancel.take();
        let stopped = stop.clone();
        options.limits.cancel = Some(Cancel::asking(move || {
            stopped.is_triggered() || own.as_ref().is_some_and(Cancel::is_triggered)
        }));
        let target = target.clone();
        let name = target.to_string();
        let (sender, result) = channel();
        let work = move || {
            // Nobody waits for it any more where the caller has given up.
            let _ = sender.send(dial(&target, &options));
            drop(far);
        };
        thread::Builder::new().name("smtp-dial".to_owned()).stack_size(STACK).spawn(work).map_err(
            |error| {
                let text = format!("no thread to connect in: {error}");
                Error::new(Kind::Connect, Step::Connect, text).with_server(name)
            },
        )?;
        Ok(Self { result, bell, stop })
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&self) {
        self.stop.trigger();
    }

    /// What came of it; `None` while it lasts.
    pub(super) fn poll(&self) -> Option<Result<Stream, Error>> {
        match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
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

impl AsFd for Dialling {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
