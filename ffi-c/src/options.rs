//! `smtp_options`: how to send.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::LazyLock;

use smtpclient::options::{OauthToken, OptionInfo, Options, TlsPolicy, all};
use smtpclient::secret::Secret;

use crate::callbacks::{
    UserData, dialler, oauth_token, progress, smtp_dial_fn, smtp_oauthtoken_fn, smtp_progress_fn,
    smtp_release_fn, smtp_tlspolicy_fn, smtp_transcript_fn, tls_policy, transcript,
};
use crate::cancel::smtp_cancel;
use crate::code::SMTP_OK;
use crate::commit::{commit, smtp_commit_fn};
use crate::guard::{Handle, alone, caught, code, free, give, guarded, shared};
use crate::strings::{Fault, c_string, empty, optional, port, utf8};

/// How to send. Sending does not change options: they can be used again, and by several threads at once; the
/// transcript, policy, token and mechanism functions are then called on each of these threads.
pub struct smtp_options {
    handle: Handle<State>,
}

pub(crate) struct State {
    pub(crate) options: Options,
    /// The text of the last failure.
    pub(crate) error: CString,
}
guarded!(smtp_options, State);

/// A row of the table of options. Its texts are constants; C wants them with a NUL after them.
struct Row {
    name: CString,
    kind: CString,
    words: CString,
    help: CString,
}

static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let row = |option: &OptionInfo| Row {
        name: c_string(option.name),
        kind: c_string(option.kind.name()),
        words: c_string(&option.kind.words().join(" ")),
        help: c_string(option.help()),
    };
    all().map(row).collect()
});

/// A text of the option with that index.
fn of_table(index: usize, text: impl FnOnce(&'static Row) -> &'static CStr) -> *const c_char {
    caught(|_| std::ptr::null(), || TABLE.get(index).map_or(std::ptr::null(), |row| text(row).as_ptr()))
}

/// New options: send through localhost, port 25. Free them with `smtp_options_free()`. NULL only if the
/// library failed.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_options_new() -> *mut smtp_options {
    caught(|_| std::ptr::null_mut(), || wrap(Options::default()))
}

/// A copy, to be freed like the original; functions and their `user_data` are shared. NULL if `options`
/// is NULL or in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_copy(options: *const smtp_options) -> *mut smtp_options {
    // SAFETY: what the header asks for.
    unsafe { shared(options, |_| std::ptr::null_mut(), |state| wrap(state.options.clone())) }
}

/// Frees options. NULL is fine. Sends that run, sessions and copies keep what they need.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_free(options: *mut smtp_options) {
    // SAFETY: what the header asks for.
    unsafe { free(options) }
}

/// Sets an option by its name; the top of `libsmtp.h`, and `libsmtp(3)`, list them. Lists are separated by spaces or
/// commas, truth values are `"1"` and `"0"`, times are seconds, `"header"` takes `"Name: value"` and adds one. An empty value
/// takes an option back to its default; the empty `"originator"` is the null reverse-path, the empty
/// `"password"` is one if there is a `"username"`, and empty `"recipients"` are nobody.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: no such option (the text names the nearest), or a value that is not of the option's form. What it names
/// (servers, addresses, mechanisms, files) is looked at when something is sent, before a byte goes out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set(
    options: *mut smtp_options,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(options, |options| Ok(options.set(utf8(name, "name")?, utf8(value, "value")?)?)) }
}

/// Adds a server after the others: a host, `host:port`, `smtp://`, `smtps://`, `submission://` or `lmtp://`
/// with a host, `unix:/path`, `sendmail:/path`, `file:/folder` or `null:`. They are tried in order. `port` 0 is the default: 25, 465 for `smtps://`,
/// 587 for `submission://`, 24 for `lmtp://`. `SMTP_OK`; `SMTP_ERR_USAGE`: a port above 65535. A wrong server is reported by
/// the send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_add_server(
    options: *mut smtp_options,
    server: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(options, |options| {
            let port = self::port(port)?;
            let (server, index) = (utf8(server, "server")?, options.servers.len());
            options.servers.push(server.to_owned());
            if port > 0 {
                let length = options.ports.len().max(index + 1);
                options.ports.resize(length, 0);
                options.ports[index] = port;
            }
            Ok(())
        })
    }
}

/// Sets the originator: one mailbox, or `""` for the null reverse-path `<>`. Default: `From` of the message.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: a line end in it. A wrong mailbox is reported by the send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_originator(
    options: *mut smtp_options,
    originator: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(options, |options| Ok(options.set("originator", utf8(originator, "originator")?)?)) }
}

/// Sets the recipients: an address list, `"Ann <ann@a.example>, bo@b.example"`. Default: `To`, `Cc` and `Bcc`
/// of the message, which are not looked at if this is set. `SMTP_OK`; `SMTP_ERR_USAGE`: a line end in it, except for one that
/// folds the list, before a space or tab. A wrong address list is reported by the send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_recipients(
    options: *mut smtp_options,
    recipients: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(options, |options| Ok(options.set("recipients", utf8(recipients, "recipients")?)?)) }
}

/// Adds a recipient, or a list of them, after those already there. Otherwise like `smtp_options_set_recipients()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_add_recipient(
    options: *mut smtp_options,
    recipient: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe { change(options, |options| Ok(options.add_recipient(utf8(recipient, "recipient")?)?)) }
}

/// Adds one recipient, a mailbox, after those already there, with what the server is asked for it (RFC 3461): `notify` says
/// when it sends delivery status notifications, `"never"` or any of `"success,failure,delay"`, and NULL or `""` as option
/// `dsnnotify` has it; `orcpt` is the original recipient, `"rfc822;user@example.org"`, not encoded, and NULL or `""` none. If a
/// server does not offer DSN, the send fails with `SMTP_ERR_UNSUPPORTED`. `SMTP_OK`; `SMTP_ERR_USAGE`: a line end, or what
/// RFC 3461 does not allow. A wrong mailbox is reported by the send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_add_recipient_dsn(
    options: *mut smtp_options,
    recipient: *const c_char,
    notify: *const c_char,
    orcpt: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(options, |options| {
            let (notify, orcpt) = (optional(notify, "notify")?, optional(orcpt, "orcpt")?);
            let (notify, orcpt) = (notify.unwrap_or_default(), orcpt.unwrap_or_default());
            Ok(options.add_recipient_dsn(utf8(recipient, "recipient")?, notify, orcpt)?)
        })
    }
}

/// Adds a header field to each message that is sent with these options; the same name may occur again. A
/// field of the message that has the same name stays. `SMTP_OK`; an invalid name or value is reported by the
/// send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_add_header(
    options: *mut smtp_options,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(options, |options| {
            options.header.push((utf8(name, "name")?.to_owned(), utf8(value, "value")?.to_owned()));
            Ok(())
        })
    }
}

/// Sets user and password to log in with. They go over TLS with a verified certificate only, unless the
/// server is this machine or an option says otherwise. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_login(
    options: *mut smtp_options,
    user: *const c_char,
    password: *const c_char,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(options, |options| {
            let (user, password) = (utf8(user, "user")?, utf8(password, "password")?);
            options.username = Some(user.to_owned());
            options.password = Some(Secret::from(password));
            Ok(())
        })
    }
}

/// Sets the function that decides when TLS cannot be set up; NULL: the default, to go on in plain text while
/// TLS is not required and no secret is to be sent. `release` may be NULL; it is called once when `user_data`
/// is not needed any more, even if this call fails. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_tlspolicy(
    options: *mut smtp_options,
    policy: smtp_tlspolicy_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        attach(options, UserData::new(user_data, release), |options, user| {
            options.tlspolicy = tls_policy(policy, user).map_or(TlsPolicy::Default, TlsPolicy::Ask);
        })
    }
}

/// Sets the function that gives the access token for XOAUTH2 and OAUTHBEARER; NULL: none. It is called whenever a connection
/// logs in so, and once more if the server refuses the token. `release` as for `smtp_options_set_tlspolicy()`. `SMTP_OK`. The option
/// `"oauthtoken"` sets a token that does not change.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_oauthtoken(
    options: *mut smtp_options,
    token: smtp_oauthtoken_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        attach(options, UserData::new(user_data, release), |options, user| {
            options.oauthtoken = oauth_token(token, user).map(OauthToken::Ask);
        })
    }
}

/// Sets the function that connects in the library's place; NULL: none. Unix sockets do not go through it. Since nobody knows what is in
/// between, a server that is reached so never counts as this machine. An engine whose octets the program moves does not call it. `release`
/// as for `smtp_options_set_tlspolicy()`. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_dialler(
    options: *mut smtp_options,
    dial: smtp_dial_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        attach(options, UserData::new(user_data, release), |options, user| {
            options.dialler = dialler(dial, user);
        })
    }
}

/// Sets the function that is given every line of the dialogue; NULL: none. `release` as for
/// `smtp_options_set_tlspolicy()`. `SMTP_OK`. The option `"debug"` prints the same on standard error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_transcript(
    options: *mut smtp_options,
    transcript: smtp_transcript_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        attach(options, UserData::new(user_data, release), |options, user| {
            options.transcript = self::transcript(transcript, user);
        })
    }
}

/// Sets the function that receives the progress of each message; NULL: none. It belongs to the session, mailer or engine that is made with
/// the options, and is called on the thread that sends, a mailer's own. `release` as for `smtp_options_set_tlspolicy()`. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_progress(
    options: *mut smtp_options,
    progress: smtp_progress_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        attach(options, UserData::new(user_data, release), |options, user| {
            options.progress = self::progress(progress, user);
        })
    }
}

/// Sets the function that is called before the end of each message leaves (docs/commit.md); NULL: none. It belongs to the session,
/// mailer or engine that is made with the options; messages of it may have these or options without such a function. `release`
/// as for `smtp_options_set_tlspolicy()`. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_commit(
    options: *mut smtp_options,
    commit: smtp_commit_fn,
    user_data: *mut c_void,
    release: smtp_release_fn,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        attach(options, UserData::new(user_data, release), |options, user| {
            options.commit = self::commit(commit, user);
        })
    }
}

/// Attaches a cancel, which is shared and may be freed before the options; NULL: none. `SMTP_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_set_cancel(
    options: *mut smtp_options,
    cancel: *const smtp_cancel,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(options, |options| {
            options.cancel = cancel.as_ref().map(|cancel| cancel.cancel.clone());
            Ok(())
        })
    }
}

/// The reason for the last failure of a call on `options`: one line, empty if no call has failed. Lives until the next call
/// that changes `options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_options_error(options: *const smtp_options) -> *const c_char {
    // SAFETY: what the header asks for.
    unsafe { shared(options, empty, |state| state.error.as_ptr()) }
}

/// The name of the option with that index, from 0; NULL past the last. Lives until the program ends.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_option_name(index: usize) -> *const c_char {
    of_table(index, |row| &row.name)
}

/// What the value of the option with that index is, in one word: `"flag"`, `"text"`, `"word"`, `"words"`, `"integer"`,
/// `"number"`, `"seconds"`, `"file"`, `"secret"`, `"certificates"`, `"ip"`, `"servers"`, `"ports"`, `"mailbox"`, `"addresses"`,
/// `"recipient"`, `"header"`, `"signature"`. NULL past the last. Lives until the program ends.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_option_kind(index: usize) -> *const c_char {
    of_table(index, |row| &row.kind)
}

/// The words that the option with that index can be set to, separated by spaces; empty if its value is not one word of a
/// list. NULL past the last. Lives until the program ends.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_option_words(index: usize) -> *const c_char {
    of_table(index, |row| &row.words)
}

/// What the option with that index does: a paragraph of Markdown, in UTF-8. NULL past the last. Lives until the program ends.
#[unsafe(no_mangle)]
pub extern "C" fn smtp_option_help(index: usize) -> *const c_char {
    of_table(index, |row| &row.help)
}

fn wrap(options: Options) -> *mut smtp_options {
    give(smtp_options { handle: Handle::new(State { options, error: CString::default() }) })
}

/// # Safety
/// As for [`alone`].
pub(crate) unsafe fn change(
    options: *mut smtp_options,
    call: impl FnOnce(&mut Options) -> Result<(), Fault>,
) -> c_int {
    let tell = |state: &mut State| match call(&mut state.options) {
        Ok(()) => SMTP_OK,
        Err(fault) => {
            state.error = fault.text();
            fault.code()
        }
    };
    // SAFETY: as the caller says.
    unsafe { alone(options, code, tell) }
}

/// Puts a function of the caller's among the options.
///
/// # Safety
/// As for [`alone`].
unsafe fn attach(
    options: *mut smtp_options,
    user: UserData,
    put: impl FnOnce(&mut Options, UserData),
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        change(options, |options| {
            put(options, user);
            Ok(())
        })
    }
}

/// Runs `call` with options that others may read at the same time; NULL is the default ones.
///
/// # Safety
/// As for [`shared`].
pub(crate) unsafe fn with_options<R>(
    options: *const smtp_options,
    refused: fn(c_int) -> R,
    call: impl FnOnce(&Options) -> R,
) -> R {
    if options.is_null() {
        return caught(refused, || call(&Options::default()));
    }
    // SAFETY: as the caller says.
    unsafe { shared(options, refused, |state| call(&state.options)) }
}
