//! Login mechanisms of C's own.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;
use std::task::Poll;

use smtpclient::options::{CustomExchange, CustomMechanism, CustomStep, LoginFacts, Options};
use smtpclient::sasl::check_custom;
use smtpclient::secret::Secret;
use zeroize::Zeroizing;

use crate::callbacks::{SMTP_READ_AGAIN, UserData, smtp_release_fn};
use crate::code::SMTP_OK;
use crate::guard::{Handle, alone, code, free, give, guarded, shared};
use crate::kept::{Keeps, keep, kept};
use crate::options::{change, smtp_options};
use crate::strings::{EMPTY, Fault, c_string, empty, utf8};

/// Says what comes next in a login: writes up to `size` octets to `response`, before base64, and returns how many; 0 is an empty
/// response. It is asked at first, when there is no `smtp_login_data(login, "challenge", ...)`, and then for each challenge of the server,
/// which must not be trusted. `SMTP_LOGIN_SERVER_FIRST`: no initial response. -1: the login cannot go on, and `response`, which is
/// empty at first, has why as a string without secrets. `SMTP_READ_AGAIN`: nothing yet, for event loops, which ask again with the next
/// `smtp_engine_ready()` or `smtp_engine_output()`; elsewhere it is a failure, as is any other number. With its last response it calls
/// `smtp_login_done()`. It may block: a mailer calls it on threads of its own, everything else on the thread that sends.
/// `login` lives during the call.
pub type smtp_mechanism_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        login: *mut smtp_login,
        response: *mut c_void,
        size: usize,
    ) -> i64,
>;

/// A mechanism has no initial response: the server begins.
pub const SMTP_LOGIN_SERVER_FIRST: i64 = -3;

/// As much as the core takes.
const ROOM: usize = 64 * 1024;

/// One login by a mechanism of the program's own. Its function is given one, for as long as it runs.
pub struct smtp_login {
    handle: Handle<State>,
}
guarded!(smtp_login, State);

#[derive(Default)]
pub(crate) struct State {
    facts: Arc<Facts>,
    challenge: Option<Zeroizing<Vec<u8>>>,
    kept: Option<UserData>,
    is_done: bool,
}

impl Keeps for State {
    fn kept(&self) -> Option<&UserData> {
        self.kept.as_ref()
    }

    fn keep(&mut self, kept: UserData) -> Option<UserData> {
        self.kept.replace(kept)
    }
}

#[derive(Default)]
struct Facts {
    texts: Vec<(&'static str, CString)>,
    bindings: Vec<(&'static str, Vec<u8>)>,
}

impl Facts {
    fn new(login: &LoginFacts<'_>) -> Self {
        let channel = login.channel;
        let flag = |is_set| if is_set { "1" } else { "" };
        let texts = [
            ("host", channel.host.as_str()),
            ("port", &channel.port.to_string()),
            ("protocol", if channel.lmtp { "lmtp" } else { "smtp" }),
            ("username", login.username),
            ("authzid", login.authorization_id.unwrap_or_default()),
            ("encrypted", flag(channel.encrypted)),
            ("verified", flag(channel.verified)),
            ("tls_version", channel.tls_version.as_deref().unwrap_or_default()),
        ];
        let bindings = channel.bindings.iter().map(|binding| (binding.kind.name(), binding.data.clone()));
        Self {
            texts: texts.into_iter().map(|(name, text)| (name, c_string(text))).collect(),
            bindings: bindings.collect(),
        }
    }
}

type Function = unsafe extern "C" fn(*mut c_void, *mut smtp_login, *mut c_void, usize) -> i64;

struct Mechanism {
    name: String,
    reveals_secret: bool,
    function: Function,
    user: Arc<UserData>,
}

impl CustomMechanism for Mechanism {
    fn name(&self) -> &str {
        &self.name
    }

    fn reveals_secret(&self) -> bool {
        self.reveals_secret
    }

    fn begin(&self, login: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
        Box::new(Login {
            kept: None,
            facts: Arc::new(Facts::new(login)),
            function: self.function,
            user: Arc::clone(&self.user),
        })
    }
}

/// Released in this order: what was kept may need what the mechanism has.
struct Login {
    kept: Option<UserData>,
    facts: Arc<Facts>,
    function: Function,
    user: Arc<UserData>,
}

impl CustomExchange for Login {
    fn step(&mut self, challenge: Option<&[u8]>) -> Poll<Result<CustomStep, String>> {
        let mut buffer = Zeroizing::new(vec![0; ROOM]);
        let state = State {
            facts: Arc::clone(&self.facts),
            challenge: challenge.map(|octets| Zeroizing::new(octets.to_vec())),
            kept: self.kept.take(),
            is_done: false,
        };
        let lent = give(smtp_login { handle: Handle::new(state) });
        // SAFETY: a function as the header asks for, with what came with it, a handle that lives on, and room as said.
        let count =
            unsafe { (self.function)(self.user.get(), lent, buffer.as_mut_ptr().cast(), buffer.len()) };
        // SAFETY: of ours, and C does not use it any more.
        let state = unsafe {
            let state = alone(lent, |_| State::default(), std::mem::take);
            free(lent);
            state
        };
        self.kept = state.kept;
        answer(count, &buffer, state.is_done)
    }
}

fn answer(count: i64, buffer: &[u8], is_done: bool) -> Poll<Result<CustomStep, String>> {
    let mut step = CustomStep::server_first();
    step.is_done = is_done;
    Poll::Ready(match (count, usize::try_from(count).ok()) {
        (SMTP_READ_AGAIN, _) => return Poll::Pending,
        (SMTP_LOGIN_SERVER_FIRST, _) => Ok(step),
        (_, Some(length)) => match buffer.get(..length) {
            Some(response) => {
                step.response = Some(Secret::new(response));
                Ok(step)
            }
            None => Err(format!("the function says {length} octets, more than the {ROOM} it has room for")),
        },
        (_, None) => {
            let end = buffer.iter().position(|octet| *octet == 0).unwrap_or(buffer.len());
            let why = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default());
            Err(if why.is_empty() { format!("the function returned {count}") } else { why.into_owned() })
        }
    })
}

/// Adds a login mechanism of the program's own, by the name that it has in AUTH: 1 to 20 capital letters, digits, hyphens and
/// underscores (RFC 4422 section 3.1). Those of the program are tried before those of the library, in this order; if option `"auth"` is set,
/// it names them. One that `reveals_secret` (not 0) is used only over TLS, on this machine, or with option `"authinsecure"`; one whose name
/// ends in `-PLUS` only if a login can be bound to the connection. `release` as for `smtp_options_set_tlspolicy()`. `SMTP_OK`;
/// `SMTP_ERR_USAGE`: an invalid name, one that a mechanism of the library has, or one that was added before; `SMTP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_add_mechanism(
    options: *mut smtp_options,
    name: *const c_char,
    reveals_secret: c_int,
    step: smtp_mechanism_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    let user = UserData::new(user_data, release);
    // SAFETY: what the header asks for.
    unsafe {
        change(options, |options| {
            let (name, function) = (utf8(name, "name")?.to_owned(), step.ok_or(Fault::Null("step"))?);
            let mechanism =
                Mechanism { name, reveals_secret: reveals_secret != 0, function, user: Arc::new(user) };
            add(options, mechanism)
        })
    }
}

fn add(options: &mut Options, mechanism: Mechanism) -> Result<(), Fault> {
    options.mechanisms.push(Arc::new(mechanism));
    let checked = check_custom(&options.mechanisms);
    if checked.is_err() {
        options.mechanisms.pop();
    }
    Ok(checked?)
}

/// What is known of the login and its connection: `"host"` and `"port"` of the server, `"protocol"` (`smtp` or `lmtp`), the options
/// `"username"` and `"authzid"`, `"encrypted"` and `"verified"` (`1` under TLS, and with a certificate that verified or is pinned), `"tls_version"` (`TLSv1.3`).
/// Empty if it is not known or not so, and for any other name. It lives during the call of the mechanism.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_login_fact(login: *const smtp_login, name: *const c_char) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe {
        shared(login, empty, |state| {
            let Ok(name) = utf8(name, "name") else { return EMPTY };
            let found = state.facts.texts.iter().find(|(known, _)| *known == name);
            found.map_or(EMPTY, |(_, text)| text.as_ptr())
        })
    }
}

/// Octets, and in `size` (may be NULL) how many: the server's `"challenge"`, and what the login can be bound to (RFC 5056),
/// `"tls-exporter"`, `"tls-unique"` or `"tls-server-end-point"`. NULL if there are none, as at the beginning for the challenge. They live
/// during the call of the mechanism.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_login_data(
    login: *const smtp_login,
    name: *const c_char,
    size: *mut usize,
) -> *const c_void {
    // SAFETY: what the header asks for.
    unsafe {
        shared(
            login,
            |_| std::ptr::null(),
            |state| {
                let found = match utf8(name, "name") {
                    Ok("challenge") => state.challenge.as_ref().map(|octets| octets.as_slice()),
                    Ok(name) => {
                        let found = state.facts.bindings.iter().find(|(known, _)| *known == name);
                        found.map(|(_, octets)| octets.as_slice())
                    }
                    Err(_) => None,
                };
                if let Some(size) = size.as_mut() {
                    *size = found.map_or(0, <[u8]>::len);
                }
                found.map_or(std::ptr::null(), |octets| {
                    if octets.is_empty() { EMPTY.cast() } else { octets.as_ptr().cast() }
                })
            },
        )
    }
}

/// Tells that the mechanism has seen all that it needs: after the response of this call only the outcome is awaited. A server that says that
/// the login succeeded before that, or asks for more after it, is not believed. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_login_done(login: *mut smtp_login) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        alone(login, code, |state| {
            state.is_done = true;
            SMTP_OK
        })
    }
}

/// Keeps something of the mechanism's own for the next step of this login, in place of what was kept before. `release` (may be NULL) is called
/// once when that is not needed any more: when something else is kept, when the login is over, however it ends, and at once if this call
/// fails. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_login_keep(
    login: *mut smtp_login,
    kept: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { keep(login, kept, release) }
}

/// What was kept for this login; NULL at first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_login_kept(login: *const smtp_login) -> *mut c_void {
    // SAFETY: what the header asks for.
    unsafe { kept(login) }
}
