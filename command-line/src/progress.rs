//! How far it is, on a terminal.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use smtpclient::Message;
use smtpclient::message::Reader;

/// Smaller messages are sent before somebody has read that.
const LARGE: u64 = 1 << 20;

/// How often it is written anew.
const OFTEN: Duration = Duration::from_millis(100);

/// The message of a large file, which shows on the terminal how much of it was read; nothing for a small one.
pub(crate) fn watched(path: &Path, alone: bool) -> io::Result<Option<Message>> {
    let meta = std::fs::metadata(path)?;
    if !alone || !meta.is_file() || meta.len() < LARGE || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let file = File::open(path)?;
    Ok(Some(Message::from_reader(Watched { file, size: meta.len(), done: 0, shown: None })))
}

struct Watched {
    file: File,
    size: u64,
    done: u64,
    shown: Option<Instant>,
}

impl Reader for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buf)?;
        self.done += n as u64;
        if n == 0 || self.shown.is_none_or(|shown| shown.elapsed() > OFTEN) {
            self.shown = Some(Instant::now());
            let part = usize::try_from(40 * self.done / self.size.max(1)).unwrap_or(40).min(40);
            let end = if n == 0 { "\n" } else { "" };
            show(&format!("[{:40}] {} of {} KiB{end}", "#".repeat(part), self.done >> 10, self.size >> 10));
        }
        Ok(n)
    }

    fn rewind(&mut self) -> io::Result<bool> {
        self.file.rewind()?;
        self.done = 0;
        Ok(true)
    }

    fn length(&self) -> Option<u64> {
        Some(self.size)
    }
}

/// How many messages of a batch are decided.
pub(crate) struct Count {
    all: usize,
    done: usize,
    on: bool,
    shown: Option<Instant>,
}

impl Count {
    pub(crate) fn new(all: usize) -> Self {
        Self { all, done: 0, on: io::stderr().is_terminal() && !io::stdout().is_terminal(), shown: None }
    }

    pub(crate) fn one_more(&mut self) {
        self.done += 1;
        let last = self.done == self.all;
        if self.on && (last || self.shown.is_none_or(|shown| shown.elapsed() > OFTEN)) {
            self.shown = Some(Instant::now());
            show(&format!("{} of {} messages{}", self.done, self.all, if last { "\n" } else { "" }));
        }
    }
}

/// Where nobody reads, nothing is lost.
fn show(text: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "\r{text}");
    let _ = out.flush();
}
