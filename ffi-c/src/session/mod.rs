//! `smtp_session`: one open connection, driven verb by verb or message by message.

// The blank lines keep the order, which is that of the header.
mod open;

mod verbs;

mod send;

mod accessors;

use std::ffi::{CString, c_int};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use smtpclient::net::Session;
use smtpclient::reply::Reply;
use smtpclient::report::Report;

use crate::code::{SMTP_ERR_CLOSED, SMTP_OK};
use crate::guard::{Handle, alone, code, give, guarded};
use crate::strings::{Fault, c_string};

pub use accessors::*;
pub use open::*;
pub use send::*;
pub(crate) use verbs::path;
pub use verbs::*;

/// One open connection. Verbs return the server's reply code, whatever it says, or a negative code if
/// there was no reply: `SMTP_ERR_USAGE` (an argument that cannot stand in a command, or a session of the parent process
/// after fork()), `SMTP_ERR_TIMEOUT`,
/// `SMTP_ERR_CLOSED`, `SMTP_ERR_PROTOCOL`, `SMTP_ERR_CANCELLED`; `smtp_session_error()` tells more.
pub struct smtp_session {
    handle: Handle<State>,
    /// Ends the call that uses it now, if a function of C's that this call has called frees it.
    over: Option<Arc<AtomicBool>>,
}

pub(crate) struct State {
    /// None if it could not be opened. Boxed, since calls take it out: moving two KiB twice cost 800 instructions a message.
    session: Option<Box<Session>>,
    /// The text of the last failure.
    error: CString,
    reply: Said,
    greeting: CString,
    /// What the server offers, once it was asked for.
    offer: Option<Offer>,
    /// What became of the last message that verbs sent.
    data: Option<Report>,
}
guarded!(smtp_session, State);

#[derive(Default)]
struct Said {
    code: c_int,
    enhanced: CString,
    text: CString,
}

struct Offer {
    options: Vec<CString>,
    mechanisms: Vec<CString>,
}

impl From<&Reply> for Said {
    fn from(reply: &Reply) -> Self {
        let enhanced = reply.enhanced().map(|enhanced| enhanced.to_string());
        Self {
            code: reply.code().into(),
            enhanced: c_string(&enhanced.unwrap_or_default()),
            text: c_string(reply.text()),
        }
    }
}

fn wrap(session: Option<Session>) -> State {
    let session = session.map(Box::new);
    let said = session.as_ref().and_then(|session| session.greeting()).map_or_else(Said::default, Said::from);
    let greeting = said.text.clone();
    State { session, error: CString::default(), reply: said, greeting, offer: None, data: None }
}

fn hand_over(state: State) -> *mut smtp_session {
    let over = state.session.as_ref().map(|session| session.over());
    give(smtp_session { handle: Handle::new(state), over })
}

impl State {
    /// Keeps why a call failed.
    fn failed(&mut self, fault: &Fault) -> c_int {
        self.error = fault.text();
        if let Fault::Failed(error) = fault
            && let Some(reply) = error.reply()
        {
            self.reply = Said::from(reply);
        }
        fault.code()
    }

    /// A handle that could not be opened only tells why.
    fn run(&mut self, call: impl FnOnce(&mut Self, &mut Session) -> Result<c_int, Fault>) -> c_int {
        let Some(mut session) = self.session.take() else { return SMTP_ERR_CLOSED };
        let done = call(self, &mut session);
        self.session = Some(session);
        done.unwrap_or_else(|fault| self.failed(&fault))
    }

    /// What the server offers; it is asked if it was not.
    fn offer(&mut self) -> c_int {
        self.run(|state, session| {
            let options = session.server_options()?.keywords().map(|(keyword, parameters)| {
                let both = if parameters.is_empty() {
                    keyword.to_owned()
                } else {
                    format!("{keyword} {parameters}")
                };
                c_string(&both)
            });
            let options = options.collect();
            let mechanisms = session.auth_types()?.iter().map(|name| c_string(name)).collect();
            state.offer = Some(Offer { options, mechanisms });
            Ok(SMTP_OK)
        })
    }
}

/// Runs a call on the open session.
///
/// # Safety
/// As for [`alone`].
unsafe fn with(
    session: *mut smtp_session,
    call: impl FnOnce(&mut State, &mut Session) -> Result<c_int, Fault>,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe { alone(session, code, |state| state.run(call)) }
}
