//! Option `commit`: the messages that are ready, as C sees them, and its function.

use std::ffi::{CString, c_char, c_int, c_void};
use std::task::Poll;

use smtpclient::commit::{Commit, Ready};

use crate::callbacks::UserData;
use crate::code::SMTP_ERR_COMMIT;
use crate::guard::{Handle, alone, code, free, give, guarded, shared};
use crate::strings::{KEPT, c_string, empty, reason};

/// Called before the end of each message is handed to the kernel, with all messages that are ready at the same time. Returns 0 if
/// they may go out, and any other number if not; after `smtp_ready_fail()` they may not, whatever it returns. They are then
/// withdrawn, and certainly not sent (`SMTP_ERR_COMMIT`). `SMTP_COMMIT_AGAIN`: it is not known yet, for engines (`smtp_engine_waits_for_commit()`) and mailers
/// (`smtp_mailer_wake()`), which ask again with the same messages; a blocking call fails on it. `ready` lives during the call.
/// It is called on the thread that sends.
pub type smtp_commit_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, ready: *mut smtp_ready) -> c_int>;

/// A commit does not know yet; ask again later.
pub const SMTP_COMMIT_AGAIN: c_int = -2;

/// Messages of which the server has everything but the end, or may get it with the end. The function of option `commit` is given
/// one, for as long as it runs.
pub struct smtp_ready {
    handle: Handle<State>,
}
guarded!(smtp_ready, State);

#[derive(Default)]
pub(crate) struct State {
    messages: Vec<Message>,
    why: Option<String>,
}

struct Message {
    message_id: CString,
    tag: CString,
    server: CString,
    recipients: Vec<CString>,
    index: u64,
    attempt: u64,
}

impl From<&Ready> for Message {
    fn from(ready: &Ready) -> Self {
        Self {
            message_id: c_string(ready.message_id.as_deref().unwrap_or_default()),
            tag: c_string(ready.tag.as_deref().unwrap_or_default()),
            server: c_string(&ready.server),
            recipients: ready.recipients.iter().map(|address| c_string(address)).collect(),
            index: ready.index,
            attempt: ready.attempt.into(),
        }
    }
}

/// `None` without a function; `user` is released then.
pub(crate) fn commit(function: smtp_commit_fn, user: UserData) -> Option<Commit> {
    let function = function?;
    Some(Commit::polled(move |ready| {
        let messages = ready.iter().map(Message::from).collect();
        let lent = give(smtp_ready { handle: Handle::new(State { messages, why: None }) });
        // SAFETY: a function as the header asks for, with what came with it, and a handle that lives on.
        let answer = unsafe { function(user.get(), lent) };
        // SAFETY: of ours, and C does not use it any more.
        let why = unsafe {
            let why = alone(lent, |_| Some(KEPT.to_owned()), |state| state.why.take());
            free(lent);
            why
        };
        match (why, answer) {
            (Some(why), _) => Poll::Ready(Err(why)),
            (None, 0) => Poll::Ready(Ok(())),
            (None, SMTP_COMMIT_AGAIN) => Poll::Pending,
            (None, code) => Poll::Ready(Err(format!("the function returned {code}"))),
        }
    }))
}

/// How many messages are ready.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_count(ready: *const smtp_ready) -> usize {
    // SAFETY: what the header asks for.
    unsafe { shared(ready, |_| 0, |state| state.messages.len()) }
}

/// The Message-ID of the message with that index, from 0, with its angle brackets; empty past the last, and for one that is
/// sent by `smtp_session_data()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_message_id(ready: *const smtp_ready, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(ready, index, |message| &message.message_id) }
}

/// Option `tag` of that message; empty if it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_tag(ready: *const smtp_ready, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(ready, index, |message| &message.tag) }
}

/// The server that is to get that message, as results name it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_server(ready: *const smtp_ready, index: usize) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { text(ready, index, |message| &message.server) }
}

/// Which message that is: its number in `smtp_session_send_many()`, that of `smtp_mailer_submit()`, the ticket of
/// `smtp_engine_ask_sendmessage()`; else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_number(ready: *const smtp_ready, index: usize) -> u64 {
    // SAFETY: what the header asks for.
    unsafe { number(ready, index, |message| message.index) }
}

/// How often that message has been ready, this time included: 2 if its first try came to nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_attempt(ready: *const smtp_ready, index: usize) -> u64 {
    // SAFETY: what the header asks for.
    unsafe { number(ready, index, |message| message.attempt) }
}

/// How many recipients of that message the server has accepted so far. With option `pipelining` `full` that may be 0, because
/// the replies are not waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_recipients(ready: *const smtp_ready, index: usize) -> usize {
    // SAFETY: what the header asks for.
    unsafe {
        shared(ready, |_| 0, |state| state.messages.get(index).map_or(0, |message| message.recipients.len()))
    }
}

/// The address of one of them, from 0; empty past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_recipient(
    ready: *const smtp_ready,
    index: usize,
    recipient: usize,
) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        shared(ready, empty, |state| {
            let found = state.messages.get(index).and_then(|message| message.recipients.get(recipient));
            found.map_or(empty(0), |address| address.as_ptr())
        })
    }
}

/// Says in a few words why the messages must not go out, whatever the function of option `commit` returns then. Gives `SMTP_ERR_COMMIT`, also
/// if `why` is not UTF-8: `return smtp_ready_fail(ready, "the disk is full");`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_ready_fail(ready: *mut smtp_ready, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(ready, code, |state| {
            state.why = Some(reason(why));
            SMTP_ERR_COMMIT
        })
    }
}

/// # Safety
/// As for [`shared`].
unsafe fn text(
    ready: *const smtp_ready,
    index: usize,
    get: impl FnOnce(&Message) -> &CString,
) -> *const c_char {
    // SAFETY: as the caller says.
    unsafe { shared(ready, empty, |state| state.messages.get(index).map_or(empty(0), |m| get(m).as_ptr())) }
}

/// # Safety
/// As for [`shared`].
unsafe fn number(ready: *const smtp_ready, index: usize, get: impl FnOnce(&Message) -> u64) -> u64 {
    // SAFETY: as the caller says.
    unsafe { shared(ready, |_| 0, |state| state.messages.get(index).map_or(0, get)) }
}
