//! A message written elsewhere than to a server.

use std::ffi::{c_char, c_int, c_void};
use std::fs::File;
use std::io::{BufWriter, Write};

use smtpclient::error::{Error, Kind, Step};

use super::{change, smtp_message};
use crate::callbacks::{CWriter, smtp_write_fn};
use crate::strings::{Fault, path};

/// The octets that `smtp_message_write()` would write, in `*size`; -1 if only reading it would tell.
/// `SMTP_OK`; `SMTP_ERR_USAGE`: the message cannot be sent as it is (a multipart without parts, a NUL in a
/// finished message); `SMTP_ERR_SOURCE`: a file or reader cannot be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_size(message: *mut smtp_message, size: *mut i64) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| {
            let out = size.as_mut().ok_or(Fault::Null("size"))?;
            *out = -1;
            if let Some(octets) = state.message.size()? {
                *out = i64::try_from(octets).unwrap_or(-1);
            }
            Ok(())
        })
    }
}

/// Writes the message as it would go to a server with 8BITMIME, `Bcc` and all, with CRLF at the end of every
/// line. `write` is called as often as needed. As `smtp_message_size()`; also `SMTP_ERR_SOURCE`: `write`
/// stopped it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_write(
    message: *mut smtp_message,
    write: smtp_write_fn,
    user_data: *mut c_void,
) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| {
            state.message.serialize(&mut CWriter::new(write, user_data)?)?;
            Ok(())
        })
    }
}

/// As `smtp_message_write()`, to a new file, or in place of what is in the file. After a failure the file is
/// not whole.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smtp_message_write_file(message: *mut smtp_message, path: *const c_char) -> c_int {
    // SAFETY: what the header asks for.
    unsafe {
        change(message, |state| {
            let path = self::path(path, "path")?;
            let failed = |error: std::io::Error| {
                let text = format!("the file {} cannot be written: {error}", path.display());
                Error::new(Kind::Source, Step::Setup, text)
            };
            let mut file = BufWriter::new(File::create(&path).map_err(failed)?);
            state.message.serialize(&mut file)?;
            Ok(file.flush().map_err(failed)?)
        })
    }
}
