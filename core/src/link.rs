//! An engine on its connection: plain, or with a TLS layer in between.

use std::time::{Duration, Instant};

use crate::conversation::Conversation;
use crate::engine::{Awaited, Engine};
use crate::error::{Error, Kind, Step};
use crate::times;
use crate::tls::{Layer, ReadState};

/// An [`Engine`] and the TLS layer below it, if there is one. Bytes in, bytes out, as the wire has them.
///
/// Outcomes stay exact under TLS: the engine learns of an octet as handed over only when the whole record
/// that carries it was, because a server cannot decrypt less.
pub struct Link {
    engine: Engine,
    layer: Option<Box<dyn Layer>>,
    handshake: Handshake,
    /// When it began, and how long it took.
    shook: Option<(Instant, Option<Duration>)>,
    /// How much of the layer's plaintext the engine knows to be handed over.
    flushed: u64,
    plain: Vec<u8>,
    /// Nothing more is written, whatever the layer still holds.
    silent: bool,
    /// The caller ended it all.
    aborted: bool,
}

/// How far the layer's handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    /// There is none, or it is over.
    None,
    /// Nothing has come in answer.
    Begun,
    Answered,
}

impl Link {
    /// A plain connection.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            layer: None,
            handshake: Handshake::None,
            shook: None,
            flushed: 0,
            plain: Vec::new(),
            silent: false,
            aborted: false,
        }
    }

    /// Puts a TLS layer below the engine: at once, or after [`Event::StartTls`](crate::engine::Event::StartTls).
    pub fn secure(&mut self, layer: Box<dyn Layer>) {
        self.layer = Some(layer);
        self.handshake = Handshake::Begun;
        self.shook = Some((times::now(), None));
        self.flushed = 0;
    }

    /// The engine. Its bytes are this link's business.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to ask it for something.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The TLS layer, if there is one.
    pub fn layer(&self) -> Option<&dyn Layer> {
        self.layer.as_deref()
    }

    /// Whether no connection has used it yet.
    pub fn is_untouched(&self) -> bool {
        self.layer.is_none() && !self.aborted && self.engine.is_untouched()
    }

    /// How long the handshake took.
    pub fn handshake_time(&self) -> Option<Duration> {
        self.shook.and_then(|(_, took)| took)
    }

    /// Whether a handshake is under way.
    pub fn is_handshaking(&self) -> bool {
        self.handshake != Handshake::None
    }

    /// Whether [`abort`](Self::abort) ended it.
    pub fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Whether the connection is to be closed: the engine is done, and what is left for the wire is gone.
    pub fn is_closed(&mut self) -> bool {
        self.engine.is_closed() && self.poll_output().is_empty()
    }

    /// Gathers what may be written now. It may end the connection (a reader that fails): whether the engine has answers.
    pub fn gather(&mut self) -> bool {
        if self.layer.is_some() {
            self.give_plaintext();
        } else {
            self.engine.gather();
        }
        self.engine.has_events() || self.engine.is_closed()
    }

    /// What was gathered.
    pub fn output(&self) -> &[u8] {
        // What the layer holds may be the end of a message that was judged as not sent.
        if self.silent || (self.engine.is_closed() && !self.is_handshaking() && !self.engine.quit_is_taken())
        {
            return &[];
        }
        self.layer.as_ref().map_or_else(|| self.engine.output(), |layer| layer.poll_output())
    }

    fn take_plaintext(&mut self) {
        let Some(layer) = &mut self.layer else { return };
        if self.handshake != Handshake::None && layer.handshake_done() {
            self.handshake = Handshake::None;
            if let Some((begin, took)) = &mut self.shook {
                *took = Some(begin.elapsed());
            }
            self.engine.tls_established();
        }
        let state = layer.read(&mut self.plain);
        if !self.plain.is_empty() {
            self.engine.handle_input(&self.plain);
            self.plain.clear();
        }
        match state {
            Ok(ReadState::WantInput) => {}
            Ok(ReadState::CloseNotify) => self.engine.handle_eof(),
            Ok(ReadState::Truncated) => {
                let text = "the server closed the connection without ending TLS (no close_notify)";
                self.engine.handle_error(Error::new(Kind::Closed, self.engine.waiting_for(), text));
            }
            Err(error) => {
                let step = if self.is_handshaking() { Step::Tls } else { self.engine.waiting_for() };
                self.engine.handle_error(error.with_step(step));
            }
        }
    }

    fn give_plaintext(&mut self) {
        if self.is_handshaking() {
            return;
        }
        let Some(layer) = &mut self.layer else { return };
        loop {
            let output = self.engine.poll_output();
            if output.is_empty() {
                break;
            }
            match layer.write(output) {
                Ok(0) => break,
                Ok(n) => self.engine.output_taken(n),
                Err(error) => {
                    self.engine.handle_error(error);
                    return;
                }
            }
        }
        if self.engine.quit_is_taken() {
            layer.close();
        }
    }
}

impl Conversation for Link {
    fn handle_input(&mut self, input: &[u8]) {
        let Some(first) = input.first() else { return };
        // A server's handshake begins with a record of type 22, or 21 (RFC 8446 section 5.1). What else comes after
        // the reply to STARTTLS is plain text that came late, and the engine knows what to say of that.
        let late = self.handshake == Handshake::Begun && self.engine.waiting_for() == Step::Tls;
        if self.is_handshaking() {
            self.handshake = Handshake::Answered;
        }
        if late && !matches!(first, 21 | 22) {
            return self.engine.handle_input(input);
        }
        match &mut self.layer {
            None => self.engine.handle_input(input),
            Some(layer) => match layer.handle_input(input) {
                Ok(()) => self.take_plaintext(),
                Err(error) => self.engine.handle_error(error),
            },
        }
    }

    fn handle_eof(&mut self) {
        match &mut self.layer {
            None => self.engine.handle_eof(),
            Some(layer) => {
                layer.handle_eof();
                self.take_plaintext();
            }
        }
    }

    fn handle_timeout(&mut self) {
        if self.is_handshaking() {
            let limit = self.timeout().unwrap_or_default().as_secs_f64();
            let text = format!("the TLS handshake was not done within {limit} s");
            self.engine.handle_error(Error::new(Kind::Timeout, Step::Tls, text));
        } else {
            self.engine.handle_timeout();
        }
        self.silent |= self.engine.is_closed();
    }

    fn handle_error(&mut self, cause: Error) {
        let unplaced = self.is_handshaking() && cause.step() == Step::Command;
        self.engine.handle_error(if unplaced { cause.with_step(Step::Tls) } else { cause });
        self.silent |= self.engine.is_closed();
    }

    fn abort(&mut self, cause: Error) {
        self.aborted = true;
        self.handle_error(cause);
    }

    fn poll_output(&mut self) -> &[u8] {
        self.gather();
        self.output()
    }

    fn output_done(&mut self, n: usize) {
        let Some(layer) = &mut self.layer else {
            return self.engine.output_done(n);
        };
        layer.output_done(n);
        let sent = layer.plaintext_sent();
        self.engine.output_flushed(sent - self.flushed);
        self.flushed = sent;
    }

    fn timeout(&self) -> Option<Duration> {
        self.engine.timeout()
    }

    fn waits_for(&self) -> Option<Awaited> {
        self.engine.waits_for()
    }

    fn patience(&self) -> Duration {
        self.engine.patience()
    }

    fn progress(&self) -> u64 {
        self.engine.progress()
    }
}
