//! A delivery and a server without a network between them: every octet is where the test puts it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::Arc;

use openssl::ssl::{Ssl, SslAcceptor, SslStream};
use smtpclient::conversation::{Action, Conversation, Driven, Ends};
use smtpclient::delivery::Delivery;
use smtpclient::message::Message;
use smtpclient::options::Options;
use smtpclient::tls::{Secure, TlsConfig};

/// A delivery that is connected to a server which is, or is not, this machine.
pub fn delivery(
    message: &Message,
    options: &Options,
    library: Option<&TlsConfig>,
    loopback: bool,
) -> Delivery {
    let local = smtpclient::net::local();
    let library = library.map(|config| Arc::new(config.clone()) as Arc<dyn Secure>);
    let mut delivery = Delivery::new(message, options.clone(), &local, library).unwrap();
    delivery.connected(Ends { loopback, ..Ends::default() });
    delivery
}

/// Hands everything that is due to the network and returns it.
pub fn take(delivery: &mut Delivery) -> Vec<u8> {
    let mut all = Vec::new();
    while delivery.action() == Action::Exchange {
        let output = delivery.poll_output();
        if output.is_empty() {
            break;
        }
        all.extend_from_slice(output);
        let n = output.len();
        delivery.output_done(n);
    }
    all
}

/// TLS over memory, the server's side.
pub struct Peer {
    stream: SslStream<Memory>,
    up: bool,
    /// What was decrypted.
    pub got: Vec<u8>,
}

#[derive(Debug, Default)]
struct Memory {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.input.read(buffer) }
    }
}

impl Write for Memory {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Peer {
    pub fn new(acceptor: &SslAcceptor) -> Self {
        let stream = SslStream::new(Ssl::new(acceptor.context()).unwrap(), Memory::default()).unwrap();
        Self { stream, up: false, got: Vec::new() }
    }

    /// Takes what came from the wire; gives what TLS itself has to answer.
    pub fn take(&mut self, octets: &[u8]) -> Vec<u8> {
        self.stream.get_mut().input.extend(octets);
        if !self.up {
            self.up = self.stream.accept().is_ok();
        }
        let mut buffer = [0; 20_000];
        while self.up {
            match self.stream.ssl_read(&mut buffer) {
                Ok(n) => self.got.extend_from_slice(&buffer[..n]),
                Err(_) => break,
            }
        }
        std::mem::take(&mut self.stream.get_mut().output)
    }

    /// Encrypts.
    pub fn say(&mut self, plaintext: &[u8]) -> Vec<u8> {
        self.stream.write_all(plaintext).unwrap();
        std::mem::take(&mut self.stream.get_mut().output)
    }
}
