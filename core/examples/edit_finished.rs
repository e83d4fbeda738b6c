//! Sends finished messages nowhere: for each message of a folder, what a server would get.
//!
//! `edit_finished FOLDER`: each `NAME.msg` there is prepared without `Bcc` and `Dcc` and with two fields in
//! front, from memory, from the file and from a reader, and written to `NAME.bytes`, `NAME.file` and
//! `NAME.reader`; `NAME.refused` has the error instead. `NAME.size` has the size that was said.

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use smtpclient::content::{Content, Transfer};
use smtpclient::message::{Edits, Message};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("edit_finished FOLDER")?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "msg") {
            for (suffix, message) in [
                ("bytes", Message::from_bytes(fs::read(&path)?)),
                ("file", Message::from_file(&path)),
                ("reader", Message::from_read(File::open(&path)?)),
            ] {
                if let Err(error) = send(&message, &path, suffix) {
                    fs::write(path.with_extension(format!("{suffix}.refused")), error.to_string())?;
                }
            }
        }
    }
    Ok(())
}

fn send(message: &Message, path: &Path, suffix: &str) -> Result<(), Box<dyn Error>> {
    let mut edits = Edits::default();
    edits.blind = true;
    edits.add =
        vec![("X-First".into(), "1".into()), ("Date".into(), "Thu, 1 Jan 1970 00:00:00 +0000".into())];
    let mut transfer = Transfer::default();
    transfer.eight_bit = true;
    let mut out = message.prepare(&edits)?;
    let mut bytes = Vec::new();
    out.open(transfer)?.read_to_end(&mut bytes)?;
    fs::write(path.with_extension(suffix), bytes)?;
    if let Some(size) = out.form(transfer)?.size {
        let name: PathBuf = path.with_extension(format!("{suffix}.size"));
        fs::write(name, size.to_string())?;
    }
    Ok(())
}
