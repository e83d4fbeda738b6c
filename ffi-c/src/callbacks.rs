//! Functions of C's that the library calls.

use std::ffi::{c_char, c_int, c_void};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smtpclient::engine::Direction;
use smtpclient::message::Reader;
use smtpclient::options::{Dialler, TlsAnswer, TlsPolicyFn, TokenFn, TokenReason, TranscriptFn};
use smtpclient::progress::ProgressFn;
use smtpclient::secret::Secret;
use zeroize::Zeroizing;

use crate::message::smtp_message;
use crate::options::smtp_options;
use crate::platform;
use crate::result::smtp_result;
use crate::strings::{Fault, c_string};

/// Gives a message piece by piece: writes up to `size` octets to `buffer` and returns how many; 0 at the
/// end; -1 if reading failed: the message is then abandoned, and never completed at the server.
/// `SMTP_READ_AGAIN`: nothing now, for event loops (`smtp_engine_waits_for_reader()`); a blocking call
/// fails on it. Any other number is a failure. It is called on the thread that sends.
pub type smtp_read_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, buffer: *mut c_void, size: usize) -> i64>;

/// Goes back to the first octet: 0, or anything else if that failed.
pub type smtp_rewind_fn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> c_int>;

/// Called exactly once, when `user_data` is no longer used: when the last message or options that refer to
/// it are freed or changed, or at once if the call that was given it failed. It must not touch the
/// handle that is being freed.
pub type smtp_release_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Gives the next message of a batch: 1 with `*message` set, and `*options` if they are not those of the session;
/// 0 when there are no more; a negative code to stop here. What was taken before is sent all the same. Both
/// handles may be freed or changed as soon as the function is called again.
pub type smtp_next_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        message: *mut *const smtp_message,
        options: *mut *const smtp_options,
    ) -> c_int,
>;

/// Receives what became of each message, in order, with its number from 0 on: the status as of
/// `smtp_result_status()`. `result` lives during the call; it must not be freed.
pub type smtp_sent_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, number: u64, status: c_int, result: *const smtp_result),
>;

/// Takes the next octets of a message: 0, or anything else to stop.
pub type smtp_write_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, data: *const c_void, size: usize) -> c_int>;

/// Called when TLS cannot be set up, with the server's reply code or 0, and the reason. Returns `SMTP_SECURE` (close
/// the connection; the next server is tried) or `SMTP_INSECURE` (go on in plain text). Any other number is
/// `SMTP_SECURE`. `diagnostic` lives during the call.
pub type smtp_tlspolicy_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, code: c_int, diagnostic: *const c_char) -> c_int>;

/// Receives every line of the dialogue, without its line end and with secrets masked, as it is written or was
/// read. `direction` is `SMTP_CLIENT`, `SMTP_SERVER` or `SMTP_NOTE`. `line` lives during the call.
pub type smtp_transcript_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, direction: c_int, line: *const c_char)>;

/// Receives the progress of a message that is being sent: `octets` of `total`, as this server gets it; `total` is -1 if it is not
/// known. `number` is its position in a batch, from 0, the number of its ticket in a mailer, else 0; `tag` is its option `"tag"`, or NULL,
/// and lives during the call. That all octets have been handed over does not mean that the server has accepted the message.
pub type smtp_progress_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, number: u64, tag: *const c_char, octets: u64, total: i64),
>;

/// Gives an OAuth 2.0 access token: writes up to `size` octets to `buffer`, without a NUL and without `Bearer`, and returns how
/// many. `reason` is `SMTP_TOKEN_FIRST` or `SMTP_TOKEN_REFUSED`. -1: there is none, and `buffer` has why, as a string; it is empty at
/// first. `SMTP_READ_AGAIN`: none yet, for event loops, where the next `smtp_engine_ready()` or `smtp_engine_output()` asks again; elsewhere
/// it is a failure, as is any other number. It may block. A mailer calls it on a thread of its own, for several connections
/// on several; everything else on the thread that sends.
pub type smtp_oauthtoken_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, reason: c_int, buffer: *mut c_char, size: usize) -> i64,
>;

/// Connects to `host` and `port`, the server's or the proxy's, within `timeout` milliseconds, and gives the descriptor of a connected
/// stream socket, which is the library's from then on. -1: there is none, and `why`, of `size` octets and empty at first, has why as
/// a string. It keeps that time itself: nothing ends it, neither option `connecttimeout` nor `deadline`. It may block: it is called on the thread that sends if that one blocks, too, and on one of its own for event loops and
/// mailers, on several at once. `host` lives during the call.
pub type smtp_dial_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        host: *const c_char,
        port: c_int,
        timeout: i64,
        why: *mut c_char,
        size: usize,
    ) -> c_int,
>;

/// A reader has nothing now; ask again later.
pub const SMTP_READ_AGAIN: i64 = -2;
/// A TLS policy's answer: close the connection.
pub const SMTP_SECURE: c_int = 0;
/// A TLS policy's answer: go on in plain text.
pub const SMTP_INSECURE: c_int = 1;
/// Why a token is asked for: a connection logs in. One that was kept will do while it has not expired.
pub const SMTP_TOKEN_FIRST: c_int = 0;
/// The server refused the token before: only a new one can help.
pub const SMTP_TOKEN_REFUSED: c_int = 1;
/// A line of a transcript that the client said.
pub const SMTP_CLIENT: c_int = 1;
/// A line of a transcript that the server said.
pub const SMTP_SERVER: c_int = 2;
/// A remark in a transcript, such as the number of octets of a message.
pub const SMTP_NOTE: c_int = 3;

/// What C wants to be given back, and the function that is told when it is not needed any more.
pub(crate) struct UserData {
    pointer: *mut c_void,
    release: smtp_release_fn,
}

// SAFETY: the library does nothing with the pointer but give it back; the header says on which threads,
// and that transcripts and policies may be called on several at once.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    pub(crate) fn new(pointer: *mut c_void, release: smtp_release_fn) -> Self {
        Self { pointer, release }
    }

    pub(crate) fn get(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: a function as the header asks for, with what came with it.
            unsafe { release(self.pointer) }
        }
    }
}

pub(crate) type Next =
    unsafe extern "C" fn(*mut c_void, *mut *const smtp_message, *mut *const smtp_options) -> c_int;

type Read = unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> i64;

/// A message or body that C gives piece by piece.
pub(crate) struct CReader {
    read: Read,
    rewind: smtp_rewind_fn,
    user: UserData,
    length: Option<u64>,
}

impl CReader {
    /// `user` is released if this fails, too.
    pub(crate) fn new(
        read: smtp_read_fn,
        rewind: smtp_rewind_fn,
        user: UserData,
        length: i64,
    ) -> Result<Self, Fault> {
        let read = read.ok_or(Fault::Null("read"))?;
        let length =
            match length {
                -1 => None,
                length => Some(u64::try_from(length).map_err(|_| {
                    Fault::usage(format!("a length of {length}: give -1 where it is not known"))
                })?),
            };
        Ok(Self { read, rewind, user, length })
    }
}

impl Reader for CReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        call_read(self.read, &self.user, buf)
    }

    fn rewind(&mut self) -> io::Result<bool> {
        let Some(rewind) = self.rewind else { return Ok(false) };
        // SAFETY: a function as the header asks for, with what came with it.
        match unsafe { rewind(self.user.get()) } {
            0 => Ok(true),
            code => Err(io::Error::other(format!("the rewind function returned {code}"))),
        }
    }

    fn length(&self) -> Option<u64> {
        self.length
    }
}

/// A reader for one call: whatever still holds it afterwards reads nothing from it any more.
pub(crate) struct Lent {
    read: Read,
    user: UserData,
    over: Arc<AtomicBool>,
}

impl Lent {
    /// The reader, and what ends it.
    pub(crate) fn new(read: smtp_read_fn, user_data: *mut c_void) -> Result<(Self, Arc<AtomicBool>), Fault> {
        let over = Arc::new(AtomicBool::new(false));
        let user = UserData::new(user_data, None);
        Ok((Self { read: read.ok_or(Fault::Null("read"))?, user, over: Arc::clone(&over) }, over))
    }
}

impl io::Read for Lent {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.over.load(Ordering::Acquire) {
            return Err(io::Error::other("the call that lent the reader is over"));
        }
        call_read(self.read, &self.user, buf)
    }
}

fn call_read(read: Read, user: &UserData, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: a function as the header asks for, with what came with it and room for as much as said.
    let count = unsafe { read(user.get(), buf.as_mut_ptr().cast(), buf.len()) };
    match usize::try_from(count) {
        Ok(count) if count <= buf.len() => Ok(count),
        Ok(count) => {
            let text = format!("the reader says {count} octets where {} were asked for", buf.len());
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
        Err(_) if count == SMTP_READ_AGAIN => Err(io::ErrorKind::WouldBlock.into()),
        Err(_) => Err(io::Error::other(format!("the reader returned {count}"))),
    }
}

/// A message that is written to C.
pub(crate) struct CWriter {
    write: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_int,
    user: UserData,
}

impl CWriter {
    pub(crate) fn new(write: smtp_write_fn, user_data: *mut c_void) -> Result<Self, Fault> {
        Ok(Self { write: write.ok_or(Fault::Null("write"))?, user: UserData::new(user_data, None) })
    }
}

impl io::Write for CWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // SAFETY: a function as the header asks for, with what came with it and as many octets as said.
        match unsafe { (self.write)(self.user.get(), data.as_ptr().cast(), data.len()) } {
            0 => Ok(data.len()),
            code => Err(io::Error::other(format!("the write function returned {code}"))),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `None` without a function; `user` is released then.
pub(crate) fn transcript(function: smtp_transcript_fn, user: UserData) -> Option<TranscriptFn> {
    let function = function?;
    Some(Arc::new(move |direction, line| {
        let direction = match direction {
            Direction::Client => SMTP_CLIENT,
            Direction::Server => SMTP_SERVER,
            Direction::Note => SMTP_NOTE,
        };
        // SAFETY: a function as the header asks for, with what came with it and a string that lives on.
        unsafe { function(user.get(), direction, c_string(line).as_ptr()) }
    }))
}

/// `None` without a function; `user` is released then.
pub(crate) fn progress(function: smtp_progress_fn, user: UserData) -> Option<ProgressFn> {
    let function = function?;
    Some(Arc::new(move |told| {
        let tag = told.tag.map(c_string);
        let tag = tag.as_ref().map_or(std::ptr::null(), |tag| tag.as_ptr());
        let total = told.total.and_then(|total| i64::try_from(total).ok()).unwrap_or(-1);
        // SAFETY: a function as the header asks for, with what came with it and a string that lives on.
        unsafe { function(user.get(), told.index, tag, told.octets, total) }
    }))
}

/// `None` without a function; `user` is released then.
pub(crate) fn tls_policy(function: smtp_tlspolicy_fn, user: UserData) -> Option<TlsPolicyFn> {
    let function = function?;
    Some(Arc::new(move |code, diagnostic| {
        // SAFETY: a function as the header asks for, with what came with it and a string that lives on.
        match unsafe { function(user.get(), code.into(), c_string(diagnostic).as_ptr()) } {
            SMTP_INSECURE => TlsAnswer::Insecure,
            _ => TlsAnswer::Secure,
        }
    }))
}

/// The longest token that a function may give; RFC 6750 has no limit, and the longest known have some ten thousand octets.
const LONGEST_TOKEN: usize = 64 * 1024;

/// `None` without a function; `user` is released then.
pub(crate) fn oauth_token(function: smtp_oauthtoken_fn, user: UserData) -> Option<TokenFn> {
    let function = function?;
    Some(Arc::new(move |reason| {
        let mut buffer = Zeroizing::new(vec![0; LONGEST_TOKEN]);
        let reason = match reason {
            TokenReason::Refused => SMTP_TOKEN_REFUSED,
            _ => SMTP_TOKEN_FIRST,
        };
        // SAFETY: a function as the header asks for, with what came with it and room for as much as said.
        let count = unsafe { function(user.get(), reason, buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(count) {
            Ok(count) => match buffer.get(..count) {
                Some(token) => Ok(Some(Secret::new(token))),
                None => Err(format!(
                    "the function says {count} octets, more than the {LONGEST_TOKEN} it has room for"
                )),
            },
            Err(_) if count == SMTP_READ_AGAIN => Ok(None),
            Err(_) => {
                let end = buffer.iter().position(|octet| *octet == 0).unwrap_or(buffer.len());
                let why = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default());
                Err(if why.is_empty() { format!("the function returned {count}") } else { why.into_owned() })
            }
        }
    }))
}

/// The longest reason that a dialler may give.
const LONGEST_REASON: usize = 1024;

/// `None` without a function; `user` is released then.
pub(crate) fn dialler(function: smtp_dial_fn, user: UserData) -> Option<Dialler> {
    let function = function?;
    Some(Dialler::new(move |to| {
        let mut why = [0_u8; LONGEST_REASON];
        let timeout = i64::try_from(to.timeout.as_millis()).unwrap_or(i64::MAX);
        let (host, port) = (c_string(to.host), c_int::from(to.port));
        // SAFETY: a function as the header asks for, with what came with it, a string that lives on, and room as said.
        let fd =
            unsafe { function(user.get(), host.as_ptr(), port, timeout, why.as_mut_ptr().cast(), why.len()) };
        // SAFETY: where it is open it is the library's to close, by what the header says.
        if let Some(socket) = unsafe { platform::owned(fd) } {
            return Ok(socket);
        }
        let end = why.iter().position(|octet| *octet == 0).unwrap_or(why.len());
        let why = String::from_utf8_lossy(why.get(..end).unwrap_or_default());
        Err(match fd {
            _ if !why.is_empty() => why.into_owned(),
            0.. => format!("the function returned {fd}, which is not an open socket"),
            _ => format!("the function returned {fd}"),
        })
    }))
}
