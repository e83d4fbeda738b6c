//! A connection in a task: tokio says when its descriptor is ready and its time is over, and [`Connection::turn`] does the rest.

use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Instant;

use ::tokio::io::Interest;
use ::tokio::io::unix::AsyncFd;
use ::tokio::runtime::Handle;
use ::tokio::task::coop::poll_proceed;
use ::tokio::time::{Instant as Deadline, Sleep, sleep_until};

use crate::conversation::{Action, Awaited, Driven};
use crate::error::{Error, Kind, Step};
use crate::net::connection::Connection;
use crate::net::functions::{commit_in_a_thread, logins_in_threads};
use crate::net::limits::Limits;
use crate::net::run::source_is_dry;
use crate::options::Options;

/// Gives something driven its turns.
pub(super) struct Wire {
    /// Let go before the connection is closed: the number may be another descriptor's then.
    watched: Option<(u64, AsyncFd<Descriptor>)>,
    connection: Connection,
    timer: Option<Pin<Box<Sleep>>>,
    task: Arc<Task>,
}

/// The number of a descriptor that a [`Connection`] has.
struct Descriptor(RawFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// The task that polls at present. What runs in other threads wakes it.
#[derive(Default)]
struct Task(Mutex<Option<Waker>>);

impl Task {
    fn is(&self, waker: &Waker) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !own.as_ref().is_some_and(|own| own.will_wake(waker)) {
            *own = Some(waker.clone());
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Wire {
    /// One that is to connect as the options say.
    ///
    /// # Errors
    /// As [`Connection::new`], and where no runtime of tokio is running.
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        Self::over(Connection::new(options)?)
    }

    /// One that has a connection, or becomes one.
    ///
    /// # Errors
    /// No runtime of tokio is running.
    pub(super) fn over(connection: Connection) -> Result<Self, Error> {
        if Handle::try_current().is_err() {
            let text =
                "smtpclient::tokio needs a runtime of tokio: await it in one, which has I/O and time enabled";
            return Err(Error::usage(text));
        }
        Ok(Self { watched: None, connection, timer: None, task: Arc::default() })
    }

    /// The options as this task wants them: what the caller's functions do that may block, they do in threads.
    pub(super) fn for_task(&self, options: &Arc<Options>) -> Arc<Options> {
        let mut own = self.for_logins(options);
        if let Some(commit) = options.commit.as_ref().filter(|commit| commit.blocks()) {
            Arc::make_mut(&mut own).commit = Some(commit_in_a_thread(commit, &self.waker()));
        }
        own
    }

    /// The same for what logins ask alone.
    pub(super) fn for_logins(&self, options: &Arc<Options>) -> Arc<Options> {
        logins_in_threads(options, &self.waker())
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.connection.set_limits(limits);
    }

    /// Whether there is a connection.
    pub(super) fn is_open(&self) -> bool {
        self.connection.stream().is_some()
    }

    pub(super) fn close(&mut self) {
        (self.watched, self.timer) = (None, None);
        self.connection.close();
    }

    /// Connects and moves bytes until `done`, or everything is over.
    ///
    /// What of the caller's is pending is asked again whenever this is polled.
    pub(super) fn poll<D: Driven + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        driven: &mut D,
        done: impl Fn(&mut D) -> bool,
    ) -> Poll<()> {
        self.task.is(cx.waker());
        ready!(self.poll_turns(cx, driven, done));
        self.timer = None; // what comes next may be awaited in another runtime
        Poll::Ready(())
    }

    fn poll_turns<D: Driven + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        driven: &mut D,
        done: impl Fn(&mut D) -> bool,
    ) -> Poll<()> {
        loop {
            if done(driven) || driven.action() == Action::Done {
                return Poll::Ready(());
            }
            // A server that answers at once must not keep other tasks from their turn.
            ready!(poll_proceed(cx)).made_progress();
            self.let_go(); // what the last turn replaced is closed by the next
            self.connection.turn(driven);
            // While the socket is full the reader may still get something to give.
            if !self.connection.interest().write && driven.waits_for() == Some(Awaited::Source) {
                driven.handle_error(source_is_dry("a task"));
                continue;
            }
            if done(driven) || driven.action() == Action::Done {
                return Poll::Ready(());
            }
            if self.connection.is_cut_short() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.watch().and_then(|()| self.is_ready(cx, driven)) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(error) => {
                    let text = format!("the connection cannot be watched: {error}");
                    driven.abort(Error::new(Kind::Closed, Step::Command, text));
                }
            }
        }
    }

    /// Watches the descriptor of the connection, and no other.
    fn watch(&mut self) -> std::io::Result<()> {
        self.let_go();
        let descriptor = self.connection.fd().map(|fd| fd.as_raw_fd());
        if let (None, Some(number)) = (&self.watched, descriptor) {
            let both = Interest::READABLE | Interest::WRITABLE;
            // SAFETY: a number that the connection has replaced stays its own until the next turn, before which `poll` lets it go;
            // `close` and dropping let it go first.
            #[expect(unsafe_code, reason = "tokio watches what somebody else owns in no other way")]
            let watched = unsafe { AsyncFd::register_with_interest(Descriptor(number), both) };
            self.watched = Some((self.connection.serial(), watched?));
        }
        Ok(())
    }

    /// Watches no descriptor that the connection has no more.
    fn let_go(&mut self) {
        let serial = self.connection.serial();
        if self.connection.fd().is_none() || self.watched.as_ref().is_some_and(|(own, _)| *own != serial) {
            self.watched = None;
        }
    }

    /// Whether another turn is due; otherwise the task is woken when it is. An error says that the runtime has ended.
    fn is_ready<D: Driven + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        driven: &mut D,
    ) -> std::io::Result<bool> {
        let mut is_ready = false;
        if let Some((_, descriptor)) = &self.watched {
            let interest = self.connection.interest();
            // The turn that follows does all that can be done, so that only what comes after this counts.
            if interest.read
                && let Poll::Ready(ready) = descriptor.poll_read_ready(cx)
            {
                ready?.clear_ready();
                is_ready = true;
            }
            if interest.write
                && let Poll::Ready(ready) = descriptor.poll_write_ready(cx)
            {
                ready?.clear_ready();
                is_ready = true;
            }
        }
        let time = self.connection.timeout(driven, Instant::now());
        match time.and_then(|time| Deadline::now().checked_add(time)) {
            None => self.timer = None,
            Some(due) => {
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
                // One that is early stays: most time limits never pass, and the turn looks at the clock again.
                if timer.is_elapsed() || timer.deadline() > due {
                    timer.as_mut().reset(due);
                }
                is_ready |= timer.as_mut().poll(cx).is_ready();
            }
        }
        Ok(is_ready)
    }

    fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.task))
    }
}
