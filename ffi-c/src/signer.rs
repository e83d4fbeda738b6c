//! Signers of C's own.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use smtpclient::error::Error;
use smtpclient::signer::{Signer, Signing, unsigned};

use crate::callbacks::{UserData, smtp_release_fn};
use crate::code::{SMTP_ERR_SOURCE, SMTP_OK};
use crate::guard::{Handle, alone, code, free, give, guarded, shared};
use crate::kept::{Keeps, keep, kept};
use crate::options::{change, smtp_options};
use crate::strings::{Fault, KEPT, reason, utf8};

/// Signs a message. It is given the message as this server gets it, from the first octet of the header section to the last of the body, with
/// CRLF at the end of every line and no dot stuffed, piece by piece: `octets` and how many (`size`). After the last piece `octets` is NULL,
/// and it adds header fields by `smtp_signing_add()`. It returns 0. Any other number, or anything after `smtp_signing_fail()`: the message
/// cannot be signed, and is not sent (`SMTP_ERR_SOURCE`). It is called on the thread that sends, before MAIL, once more for a server that needs
/// another form, and by a mailer for several messages on several threads. `signing` and `octets` live during the call.
pub type smtp_signer_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        signing: *mut smtp_signing,
        octets: *const c_void,
        size: usize,
    ) -> c_int,
>;

type Function = unsafe extern "C" fn(*mut c_void, *mut smtp_signing, *const c_void, usize) -> c_int;

/// One message that is being signed. The signer's function is given one, for as long as it runs.
pub struct smtp_signing {
    handle: Handle<State>,
}
guarded!(smtp_signing, State);

#[derive(Default)]
pub(crate) struct State {
    now: i64,
    fields: String,
    why: Option<String>,
    kept: Option<UserData>,
}

impl Keeps for State {
    fn kept(&self) -> Option<&UserData> {
        self.kept.as_ref()
    }

    fn keep(&mut self, kept: UserData) -> Option<UserData> {
        self.kept.replace(kept)
    }
}

struct Own {
    function: Function,
    user: Arc<UserData>,
}

impl Signer for Own {
    fn begin(&self) -> Box<dyn Signing> {
        Box::new(Running { kept: None, failed: None, function: self.function, user: Arc::clone(&self.user) })
    }
}

/// Released in this order: what was kept may need what the signer has.
struct Running {
    kept: Option<UserData>,
    failed: Option<String>,
    function: Function,
    user: Arc<UserData>,
}

impl Running {
    /// Calls the function, unless it has failed, and gives the fields that it added.
    fn call(&mut self, octets: Option<&[u8]>, now: i64) -> String {
        if self.failed.is_some() {
            return String::new();
        }
        let state = State { now, kept: self.kept.take(), ..State::default() };
        let lent = give(smtp_signing { handle: Handle::new(state) });
        let pointer = octets.map_or(std::ptr::null(), |octets| octets.as_ptr().cast());
        let size = octets.map_or(0, <[u8]>::len);
        // SAFETY: a function as the header asks for, with what came with it, a handle that lives on, and octets as said.
        let answer = unsafe { (self.function)(self.user.get(), lent, pointer, size) };
        // SAFETY: of ours, and C does not use it any more.
        let state = unsafe {
            let kept = |_| State { why: Some(KEPT.to_owned()), ..State::default() };
            let state = alone(lent, kept, std::mem::take);
            free(lent);
            state
        };
        self.kept = state.kept;
        self.failed = state.why.or_else(|| (answer != 0).then(|| format!("the function returned {answer}")));
        state.fields
    }
}

impl Signing for Running {
    fn update(&mut self, octets: &[u8]) {
        self.call(Some(octets), 0);
    }

    fn finish(mut self: Box<Self>, now: i64) -> Result<String, Error> {
        let fields = self.call(None, now);
        self.failed.as_deref().map_or(Ok(fields), |why| Err(unsigned(why)))
    }
}

/// Adds a signer of the program's own: what it adds stands in front of the message, that of the first signer first, and before option
/// `"dkim"`, which does not sign it. The message is read twice, so a reader must rewind. `release` as for `smtp_options_set_tlspolicy()`.
/// `SMTP_OK`; `SMTP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_add_signer(
    options: *mut smtp_options,
    signer: smtp_signer_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    let user = UserData::new(user_data, release);
    // SAFETY: what the header asks for.
    unsafe {
        change(options, |options| {
            let function = signer.ok_or(Fault::Null("signer"))?;
            options.signers.push(Arc::new(Own { function, user: Arc::new(user) }));
            Ok(())
        })
    }
}

/// Adds header fields in front of the message, after those that were added before: `"Name: value"`, folded or not, in ASCII, in lines of at
/// most 998 octets that are not blank and end in CRLF or LF, the last one perhaps in nothing; `Bcc` and the like are an error. They are looked at when the function has returned. It counts only
/// if `octets` is NULL. `SMTP_OK`; `SMTP_ERR_USAGE` if `fields` is not UTF-8; `SMTP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_signing_add(signing: *mut smtp_signing, fields: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(signing, code, |state| match utf8(fields, "fields") {
            Ok(fields) => {
                if !state.fields.is_empty() && !state.fields.ends_with('\n') {
                    state.fields.push('\n');
                }
                state.fields.push_str(fields);
                SMTP_OK
            }
            Err(fault) => fault.code(),
        })
    }
}

/// Says in a few words why the message cannot be signed, whatever the signer returns then. Gives `SMTP_ERR_SOURCE`, also if `why` is not UTF-8:
/// `return smtp_signing_fail(signing, "the key is locked");`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_signing_fail(signing: *mut smtp_signing, why: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(signing, code, |state| {
            state.why = Some(reason(why));
            SMTP_ERR_SOURCE
        })
    }
}

/// When the message is signed, in seconds since 1970; 0 while `octets` is not NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_signing_time(signing: *const smtp_signing) -> i64 {
    // SAFETY: what the header asks for.
    unsafe { shared(signing, |_| 0, |state| state.now) }
}

/// Keeps something of the signer's own for the next piece of this message, in place of what was kept before. `release` (may be NULL) is called
/// once when that is not needed any more: when something else is kept, when the message is signed or cannot be, and at once if this call
/// fails. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_signing_keep(
    signing: *mut smtp_signing,
    kept: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { keep(signing, kept, release) }
}

/// What was kept for this message; NULL at first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_signing_kept(signing: *const smtp_signing) -> *mut c_void {
    // SAFETY: what the header asks for.
    unsafe { kept(signing) }
}
