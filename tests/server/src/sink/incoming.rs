//! A message on its way to the dump folder, to memory, or nowhere.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::Ordering;

use super::{Shared, Stored};

pub(super) struct Incoming {
    pub(super) number: u64,
    pub(super) size: u64,
    file: Option<BufWriter<File>>,
    content: Vec<u8>,
}

impl Incoming {
    pub(super) fn new(shared: &Shared) -> io::Result<Self> {
        let number = shared.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let file = match &shared.options.dump {
            Some(dump) => Some(BufWriter::new(File::create(dump.join(format!("{number}.part")))?)),
            None => None,
        };
        Ok(Self { number, size: 0, file, content: Vec::new() })
    }

    pub(super) fn write(&mut self, octets: &[u8], shared: &Shared) -> io::Result<()> {
        self.size += octets.len() as u64;
        if shared.options.keep {
            self.content.extend_from_slice(octets);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(octets))
    }

    /// Only a whole message gets its name.
    pub(super) fn store(self, envelope: Vec<String>, shared: &Shared) -> io::Result<()> {
        if let (Some(mut file), Some(dump)) = (self.file, &shared.options.dump) {
            file.flush()?;
            let lines: String = envelope.iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(dump.join(format!("{}.envelope", self.number)), lines)?;
            let part = dump.join(format!("{}.part", self.number));
            std::fs::rename(part, dump.join(format!("{}.eml", self.number)))?;
        }
        if shared.options.keep
            && let Ok(mut kept) = shared.kept.lock()
        {
            kept.push(Stored { number: self.number, envelope, content: self.content, size: self.size });
        }
        shared.taken.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    pub(super) fn discard(self, shared: &Shared) -> io::Result<()> {
        match &shared.options.dump {
            Some(dump) => std::fs::remove_file(dump.join(format!("{}.part", self.number))),
            None => Ok(()),
        }
    }
}
