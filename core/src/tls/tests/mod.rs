//! Each library against a server in memory.

mod bytes;
mod certificates;
mod choices;
mod clients;
#[path = "../../../tests/common/pki.rs"]
pub(in crate::tls) mod pki;
mod resumed;
mod rotated;
mod versions;

use ::openssl::ssl::{
    ErrorCode, Ssl, SslAcceptor, SslAcceptorBuilder, SslMethod, SslOptions, SslStream, SslVersion,
};

use self::pki::{Folder, GOOD, Issued, TRUSTED};
use super::pipe::Pipe;
use super::*;
use crate::error::Error;

/// The settings of a client, with the files that they name.
struct Client {
    settings: TlsSettings,
    folder: Folder,
}

impl Client {
    /// One that trusts the test authority.
    fn new() -> Self {
        let folder = Folder::new();
        let ca_file = Some(folder.file("ca.pem", TRUSTED.cert_pem()));
        Self { settings: TlsSettings { ca_file, ..TlsSettings::default() }, folder }
    }

    /// With each library: its name and the result.
    fn configs(&self) -> Vec<(&'static str, Result<TlsConfig, Error>)> {
        let settings = &self.settings;
        let with = |library: &'static Library| (library.name, TlsConfig::with(settings.clone(), library));
        LIBRARIES.iter().map(with).collect()
    }

    fn each(&self, run: impl Fn(&'static str, TlsConfig)) {
        for (name, config) in self.configs() {
            run(name, config.unwrap());
        }
    }
}

/// Whether a library tells of versions and ciphers, and of a certificate that was not to verify.
fn tells(name: &str) -> bool {
    name != "native-tls"
}

fn acceptor(issued: &Issued) -> SslAcceptorBuilder {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&issued.key).unwrap();
    acceptor.set_certificate(&issued.cert).unwrap();
    acceptor
}

fn acceptor_of(issued: &Issued, version: SslVersion) -> SslAcceptorBuilder {
    let mut acceptor = acceptor(issued);
    acceptor.clear_options(SslOptions::NO_TLSV1 | SslOptions::NO_TLSV1_1);
    acceptor.set_min_proto_version(Some(version)).unwrap();
    acceptor.set_max_proto_version(Some(version)).unwrap();
    if version == SslVersion::TLS1 || version == SslVersion::TLS1_1 {
        acceptor.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    }
    acceptor
}

/// A server that keeps what it reads.
struct Server {
    stream: SslStream<Pipe>,
    pipe: Pipe,
    up: bool,
    got: Vec<u8>,
    failed: Option<String>,
    closed: bool,
}

impl Server {
    fn new(acceptor: SslAcceptor) -> Self {
        let pipe = Pipe::default();
        let stream = SslStream::new(Ssl::new(acceptor.context()).unwrap(), pipe.clone()).unwrap();
        Self { stream, pipe, up: false, got: vec![], failed: None, closed: false }
    }

    fn good() -> Self {
        Self::new(acceptor(&GOOD).build())
    }

    /// Takes `input` and goes as far as it can; what it has to say is returned.
    fn step(&mut self, input: &[u8]) -> Vec<u8> {
        self.pipe.feed(input);
        if self.failed.is_none() {
            let result = self.go();
            match result {
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => self.closed = true,
                Err(error) if error.code() != ErrorCode::WANT_READ => self.failed = Some(error.to_string()),
                _ => {}
            }
        }
        let mut out = vec![];
        self.pipe.drain(&mut out);
        out
    }

    fn go(&mut self) -> Result<(), ::openssl::ssl::Error> {
        if !self.up {
            self.stream.accept()?;
            self.up = true;
        }
        loop {
            let mut buffer = [0; 20_000];
            let n = self.stream.ssl_read(&mut buffer)?;
            self.got.extend_from_slice(&buffer[..n]);
        }
    }

    fn say(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut rest = plaintext;
        while !rest.is_empty() {
            let n = self.stream.ssl_write(rest).unwrap();
            rest = &rest[n..];
        }
        self.step(b"")
    }
}

/// Moves bytes both ways, in pieces of at most `piece`, until both are quiet.
fn pump(client: &mut TlsStream, server: &mut Server, piece: usize) -> Result<(), Error> {
    let mut result = Ok(());
    for _ in 0..1000 {
        let mut answer = server.step(b"");
        while client.unsent() > 0 {
            let out = client.poll_output();
            let out = out[..out.len().min(piece)].to_vec();
            client.output_done(out.len());
            answer.extend(server.step(&out));
        }
        if answer.is_empty() {
            return result;
        }
        for part in answer.chunks(piece) {
            result = result.and(client.handle_input(part));
        }
    }
    panic!("no end");
}

fn connect(
    config: &TlsConfig,
    host: &str,
    verify: Verify,
    server: &mut Server,
) -> (TlsStream, Result<(), Error>) {
    let mut client = config.start(host, verify).unwrap();
    let result = pump(&mut client, server, usize::MAX);
    (client, result)
}

/// A connection that works.
fn open(config: &TlsConfig, server: &mut Server) -> TlsStream {
    let (client, result) = connect(config, "mx.example.org", Verify::Require, server);
    result.unwrap();
    assert!(client.handshake_done());
    assert!(server.up);
    client
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("{o:02x}")).collect()
}

#[test]
fn the_better_library_is_used() {
    let client = Client::new();
    let config = TlsConfig::new(client.settings.clone()).unwrap();
    let stream = open(&config, &mut Server::good());
    assert_eq!(stream.facts().version.is_some(), tells(library()));
    assert_eq!(stream.facts().library, library());
    assert_eq!(library() == "openssl", cfg!(feature = "tls-openssl"));
    assert_eq!(library() == "native-tls", !cfg!(any(feature = "tls-openssl", feature = "tls-rustls")));
    assert!(format!("{config:?} {stream:?}").contains("ca.pem"));
}
