//! What sees a message as it goes out, and puts fields in front of it.

use crate::error::{Error, Kind, Step};

/// Signs messages: any number at once, in any thread. See [`Options::signers`](crate::options::Options::signers).
pub trait Signer: Send + Sync {
    /// Begins a message.
    fn begin(&self) -> Box<dyn Signing>;
}

/// One message that is being signed.
pub trait Signing: Send {
    /// The next octets of the message, from the first of its header section to the last of its body: encoded for its server,
    /// with all that was added in front, and with CRLF at the end of every line, the last one too (in a message that goes
    /// as BINARYMIME as they are). No dot is stuffed.
    fn update(&mut self, octets: &[u8]);

    /// The fields that go in front of the message, in ASCII: `Name: value`, folded or not, in lines that end in CRLF or LF, the
    /// last one perhaps in nothing; or nothing at all. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// Whatever went wrong: the message is not sent. [`unsigned`] makes an error of a text.
    fn finish(self: Box<Self>, now: i64) -> Result<String, Error>;
}

/// The error of a signer, which says why the message cannot be signed: [`Kind::Source`], before anything of it is sent.
pub fn unsigned(why: &str) -> Error {
    let lines: Vec<&str> = why.split(char::is_control).filter(|line| !line.is_empty()).collect();
    Error::new(Kind::Source, Step::Setup, format!("the message cannot be signed: {}", lines.join(" ")))
}
