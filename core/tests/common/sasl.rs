//! The server's side of the SASL mechanisms, by the RFCs and over OpenSSL's hashes.

use std::io;
use std::sync::Arc;

use openssl::base64;
use openssl::hash::{MessageDigest, hash};
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use super::server::Peer;
use super::{TOKEN, USER};

/// Is given the mechanism and the initial response, says everything up to the last reply, and tells whether
/// the client is logged in.
pub type Login = Arc<dyn Fn(&mut Peer, &str, Option<String>) -> io::Result<bool> + Send + Sync>;

/// How honest the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honesty {
    Honest,
    /// Proves nothing, or the wrong thing, and says 235.
    Lying,
    /// Says 235 without any proof.
    Silent,
}

/// A server that knows USER with `password`.
pub fn login(password: &'static str) -> Login {
    login_with(password, 4096)
}

/// The same, with so many iterations of SCRAM.
pub fn login_with(password: &'static str, count: usize) -> Login {
    Arc::new(move |peer, mechanism, initial| {
        exchange(peer, mechanism, initial, password, Honesty::Honest, count)
    })
}

/// A server that does not know the password and takes every login.
pub fn false_login(honesty: Honesty) -> Login {
    Arc::new(move |peer, mechanism, initial| exchange(peer, mechanism, initial, "guessed", honesty, 4096))
}

/// One that answers every AUTH with this, and what comes after it with 535.
pub fn answering(reply: &'static str) -> Login {
    Arc::new(move |peer, _, _| {
        peer.say(reply)?;
        if reply.starts_with('3') {
            let line = peer.line()?;
            peer.say(if line == "*" { "501 5.7.0 cancelled" } else { "535 5.7.8 no" })?;
        }
        Ok(reply.starts_with("235"))
    })
}

fn exchange(
    peer: &mut Peer,
    mechanism: &str,
    initial: Option<String>,
    password: &str,
    honesty: Honesty,
    count: usize,
) -> io::Result<bool> {
    let initial = match initial.as_deref() {
        None => None,
        Some("=") => Some(Vec::new()),
        Some(text) => Some(base64::decode_block(text).map_err(io::Error::other)?),
    };
    let first = |peer: &mut Peer| match &initial {
        Some(octets) => Ok(octets.clone()),
        None => peer.challenge(b""),
    };
    let good = match mechanism {
        "PLAIN" => first(peer)? == format!("\0{USER}\0{password}").as_bytes(),
        "LOGIN" => {
            let user = peer.challenge(b"Username:")?;
            peer.challenge(b"Password:")? == password.as_bytes() && user == USER.as_bytes()
        }
        "CRAM-MD5" => {
            let challenge = b"<1896.697170952@mail.example>";
            let digest = hex(&hmac(MessageDigest::md5(), password.as_bytes(), challenge));
            peer.challenge(challenge)? == format!("{USER} {digest}").as_bytes()
        }
        "DIGEST-MD5" => digest_md5(peer, password, honesty)?,
        "XOAUTH2" => bearer(peer, &initial, &format!("user={USER}\x01auth=Bearer {TOKEN}\x01\x01"))?,
        "OAUTHBEARER" => {
            let text = String::from_utf8_lossy(initial.as_deref().unwrap_or_default()).into_owned();
            let mut fields = text.split('\x01');
            let good = fields.next() == Some(&format!("n,a={USER},"))
                && fields.any(|field| field == format!("auth=Bearer {TOKEN}"));
            let expected = if good { text.clone() } else { String::new() };
            bearer(peer, &initial, &expected)?
        }
        "EXTERNAL" => peer.heard.certificate && first(peer)? == USER.as_bytes(),
        _ if mechanism.starts_with("SCRAM-") => {
            let first = first(peer)?;
            scram(peer, mechanism, &first, password, honesty, count)?
        }
        _ => {
            peer.say("504 5.5.4 unknown")?;
            return Ok(false);
        }
    };
    let good = good || honesty != Honesty::Honest;
    peer.say(if good { "235 2.7.0 welcome" } else { "535 5.7.8 wrong" })?;
    Ok(good)
}

fn bearer(peer: &mut Peer, initial: &Option<Vec<u8>>, expected: &str) -> io::Result<bool> {
    let said = match initial {
        Some(octets) => octets.clone(),
        None => peer.challenge(b"")?,
    };
    let good = said == expected.as_bytes();
    if !good {
        peer.challenge(br#"{"status":"invalid_token","scope":"mail"}"#)?;
    }
    Ok(good)
}

fn scram(
    peer: &mut Peer,
    mechanism: &str,
    first: &[u8],
    password: &str,
    honesty: Honesty,
    count: usize,
) -> io::Result<bool> {
    let digest = match mechanism.trim_end_matches("-PLUS") {
        "SCRAM-SHA-512" => MessageDigest::sha512(),
        "SCRAM-SHA-256" => MessageDigest::sha256(),
        _ => MessageDigest::sha1(),
    };
    let first = String::from_utf8_lossy(first).into_owned();
    let mut parts = first.splitn(3, ',');
    let (flag, _identity) = (parts.next().unwrap_or_default(), parts.next());
    let bare = parts.next().unwrap_or_default();
    let client_nonce = bare.split_once(",r=").map_or("", |(_, nonce)| nonce);
    peer.heard.bound_by = flag.to_owned();
    let binding = match flag.split_once('=') {
        Some(("p", "tls-exporter")) => peer.exporter().unwrap_or_default(),
        Some(("p", "tls-unique")) => peer.unique().unwrap_or_default(),
        Some(("p", "tls-server-end-point")) => {
            let cert = super::pki::GOOD.cert.digest(MessageDigest::sha256()).map_err(io::Error::other)?;
            cert.to_vec()
        }
        _ => Vec::new(),
    };
    // A flag `y` after an offer of PLUS means that somebody took that away.
    if flag == "y" && peer.heard.logins.iter().any(|(name, _)| name.ends_with("-PLUS")) {
        return Ok(false);
    }
    let nonce = format!("{client_nonce}srvnonce");
    let server_first = format!("r={nonce},s={},i={count}", base64::encode_block(b"salty-salt"));
    let last = String::from_utf8_lossy(&peer.challenge(server_first.as_bytes())?).into_owned();
    let (without_proof, proof) = last.rsplit_once(",p=").unwrap_or_default();
    let mut cbind = first.as_bytes()[..first.len() - bare.len()].to_vec();
    cbind.extend_from_slice(&binding);
    let expected_start = format!("c={},r={nonce}", base64::encode_block(&cbind));
    let message = format!("{bare},{server_first},{without_proof}");

    let mut salted = vec![0; digest.size()];
    pbkdf2_hmac(password.as_bytes(), b"salty-salt", count, digest, &mut salted).map_err(io::Error::other)?;
    let client_key = hmac(digest, &salted, b"Client Key");
    let stored = hash(digest, &client_key).map_err(io::Error::other)?;
    let signature = hmac(digest, &stored, message.as_bytes());
    let wanted: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    let good = without_proof == expected_start && base64::decode_block(proof).ok() == Some(wanted);
    if honesty == Honesty::Silent {
        return Ok(true);
    }
    if good || honesty == Honesty::Lying {
        let own = hmac(digest, &hmac(digest, &salted, b"Server Key"), message.as_bytes());
        peer.challenge(format!("v={}", base64::encode_block(&own)).as_bytes())?;
    }
    Ok(good)
}

fn digest_md5(peer: &mut Peer, password: &str, honesty: Honesty) -> io::Result<bool> {
    let answer = peer.challenge(
        br#"realm="example.test",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8"#,
    )?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let value = |name: &str| {
        let field = answer.split(',').find_map(|f| f.strip_prefix(&format!("{name}=")));
        field.unwrap_or_default().trim_matches('"').to_owned()
    };
    let md5 = |octets: &[u8]| hash(MessageDigest::md5(), octets).map(|d| d.to_vec()).unwrap_or_default();
    let mut a1 = md5(format!("{}:{}:{password}", value("username"), value("realm")).as_bytes());
    a1.extend_from_slice(format!(":OA6MG9tEQGm2hh:{}", value("cnonce")).as_bytes());
    let kd = |method: &str| {
        let a2 = hex(&md5(format!("{method}:{}", value("digest-uri")).as_bytes()));
        let (nc, cnonce) = (value("nc"), value("cnonce"));
        hex(&md5(format!("{}:OA6MG9tEQGm2hh:{nc}:{cnonce}:auth:{a2}", hex(&md5(&a1))).as_bytes()))
    };
    let good = value("username") == USER && value("response") == kd("AUTHENTICATE");
    if honesty == Honesty::Silent {
        return Ok(true);
    }
    if good || honesty == Honesty::Lying {
        peer.challenge(format!("rspauth={}", kd("")).as_bytes())?;
    }
    Ok(good)
}

fn hmac(digest: MessageDigest, key: &[u8], octets: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(key).unwrap();
    Signer::new(digest, &key).unwrap().sign_oneshot_to_vec(octets).unwrap()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("{o:02x}")).collect()
}
