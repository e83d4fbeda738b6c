//! TLS of a sink, by OpenSSL.

use std::io;
use std::path::Path;

pub(super) use openssl::ssl::SslAcceptor as Acceptor;
use openssl::ssl::{Ssl, SslFiletype, SslMethod, SslStream};
use socket2::Socket;

pub(super) type Secured = SslStream<Socket>;

pub(super) fn acceptor(cert: &Path, key: &Path) -> io::Result<Acceptor> {
    let mut builder = Acceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_certificate_chain_file(cert)?;
    builder.set_private_key_file(key, SslFiletype::PEM)?;
    Ok(builder.build())
}

pub(super) fn accept(acceptor: &Acceptor, socket: Socket) -> io::Result<Secured> {
    let ssl = Ssl::new(acceptor.context()).map_err(io::Error::other)?;
    let mut stream = SslStream::new(ssl, socket).map_err(io::Error::other)?;
    stream.accept().map_err(io::Error::other)?;
    Ok(stream)
}
