//! How bytes move: in pieces, cut off, in bulk, and what is known of them.

use super::*;
use crate::error::Kind;

#[test]
fn a_stream_can_move_to_another_thread() {
    fn moves<T: Send + 'static>() {}
    fn shared<T: Send + Sync + Clone + 'static>() {}
    moves::<TlsStream>();
    shared::<TlsConfig>();
}

#[test]
fn byte_by_byte_both_ways() {
    Client::new().each(|name, config| {
        let mut server = Server::good();
        let mut client = config.start("mx.example.org", Verify::Require).unwrap();
        assert_eq!(client.write(b"too early").unwrap(), 0);
        assert_eq!(client.read(&mut vec![]).unwrap(), ReadState::WantInput);
        pump(&mut client, &mut server, 1).unwrap();
        assert!(client.handshake_done(), "{name}");
        assert_eq!(client.write(b"EHLO there\r\n").unwrap(), 12);
        pump(&mut client, &mut server, 1).unwrap();
        assert_eq!(server.got, b"EHLO there\r\n");
        let mut read = vec![];
        for octet in server.say(b"250 fine\r\n") {
            client.handle_input(&[octet]).unwrap();
            assert_eq!(client.read(&mut read).unwrap(), ReadState::WantInput);
        }
        assert_eq!(read, b"250 fine\r\n");
    });
}

#[test]
fn what_comes_with_the_end_of_the_handshake_is_kept() {
    Client::new().each(|_, config| {
        let mut server = Server::good();
        let mut client = config.start("mx.example.org", Verify::Require).unwrap();
        let mut flight = server.step(client.poll_output());
        client.output_done(client.unsent());
        client.handle_input(&flight).unwrap();
        flight = server.step(client.poll_output());
        client.output_done(client.unsent());
        flight.extend(server.say(b"220 hello\r\n"));
        client.handle_input(&flight).unwrap();
        let mut read = vec![];
        assert_eq!(client.read(&mut read).unwrap(), ReadState::WantInput);
        assert_eq!(read, b"220 hello\r\n");
    });
}

/// Runs a handshake in which the server's side is lost after `limit` octets; says whether it was all.
fn cut_handshake(config: &TlsConfig, acceptor: &SslAcceptor, limit: usize) -> bool {
    let mut server = Server::new(acceptor.clone());
    let mut client = config.start("mx.example.org", Verify::Require).unwrap();
    let mut left = limit;
    for _ in 0..10 {
        let out = client.poll_output().to_vec();
        client.output_done(out.len());
        let answer = server.step(&out);
        let part = &answer[..answer.len().min(left)];
        left -= part.len();
        client.handle_input(part).unwrap();
    }
    let whole = client.handshake_done();
    client.handle_eof();
    assert_eq!(client.handshake_done(), whole);
    match client.read(&mut vec![]) {
        Ok(state) => assert!(whole && state == ReadState::Truncated, "{limit} {state:?}"),
        Err(error) => {
            assert!(!whole && error.kind() == Kind::Tls && error.is_transient(), "{limit} {error}");
            assert!(error.text().contains("closed the connection"), "{error}");
        }
    }
    whole
}

#[test]
fn a_handshake_cut_anywhere_fails_for_good() {
    Client::new().each(|name, config| {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let acceptor = acceptor_of(&GOOD, version).build();
            let enough = (0..5000).find(|&limit| cut_handshake(&config, &acceptor, limit));
            assert!(enough.is_some_and(|n| n > 500), "{name} {version:?} {enough:?}");
        }
    });
}

/// Whether the octet is of the version in the head of a record, which is not looked at (RFC 8446 section 5.1).
fn is_version(flight: &[u8], at: usize) -> bool {
    let mut start = 0;
    while let Some([_, _, _, high, low]) = flight.get(start..start + 5) {
        if (start + 1..start + 3).contains(&at) {
            return true;
        }
        start += 5 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    false
}

#[test]
fn a_changed_byte_never_ends_in_a_connection_or_a_panic() {
    Client::new().each(|_, config| {
        for at in (0..1200).step_by(7) {
            let mut server = Server::good();
            let mut client = config.start("mx.example.org", Verify::Require).unwrap();
            let mut flight = server.step(client.poll_output());
            client.output_done(client.unsent());
            if is_version(&flight, at) {
                continue;
            }
            let Some(octet) = flight.get_mut(at) else {
                continue;
            };
            *octet ^= 0x55;
            let result = client.handle_input(&flight);
            assert!(!client.handshake_done(), "{at}");
            client.handle_eof();
            assert!(result.is_err() || client.read(&mut vec![]).is_err());
        }
    });
}

#[test]
fn a_plain_text_peer_is_told_apart() {
    Client::new().each(|_, config| {
        for (said, words) in [
            (&b"220 mx.example.org ESMTP\r\n"[..], "220 mx.example.org ESMTP)"),
            (b"2", "plain text (2)"),
            (b"\x1b[2J", "plain text (\\x1b[2J)"),
            (&[b'5'; 4000], "STARTTLS"),
        ] {
            let mut client = config.start("mx.example.org", Verify::Report).unwrap();
            let error = client.handle_input(said).unwrap_err();
            assert_eq!(error.kind(), Kind::Tls);
            assert!(error.text().contains(words) && error.text().len() < 300, "{error}");
            client.handle_eof();
            assert_eq!(client.read(&mut vec![]).unwrap_err(), error);
        }
    });
}

#[test]
fn a_silent_or_a_foul_peer_is_a_definite_error() {
    Client::new().each(|_, config| {
        let mut client = config.start("mx.example.org", Verify::Report).unwrap();
        client.handle_eof();
        let error = client.read(&mut vec![]).unwrap_err();
        assert!(error.text().contains("does this port speak TLS"), "{error}");
        // handshake_failure, in the clear.
        let mut client = config.start("mx.example.org", Verify::Report).unwrap();
        let error = client.handle_input(&[21, 3, 3, 0, 2, 2, 40]).unwrap_err();
        assert!(error.text().contains("40, handshake_failure"), "{error}");
        let mut client = config.start("mx.example.org", Verify::Report).unwrap();
        let error = client.handle_input(&[22; 40_000]).unwrap_err();
        assert!(error.text().contains("TLS handshake failed"), "{error}");
    });
}

#[test]
fn the_end_is_told_from_truncation() {
    Client::new().each(|name, config| {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            for announced in [true, false] {
                let mut server = Server::new(acceptor_of(&GOOD, version).build());
                let mut client = open(&config, &mut server);
                let mut last = server.say(b"221 bye\r\n");
                if announced {
                    server.stream.shutdown().unwrap();
                    last.extend(server.step(b""));
                }
                client.handle_input(&last).unwrap();
                client.handle_eof();
                let mut read = vec![];
                for _ in 0..2 {
                    let wanted = if announced { ReadState::CloseNotify } else { ReadState::Truncated };
                    assert_eq!(client.read(&mut read).unwrap(), wanted, "{name} {version:?}");
                }
                assert_eq!(read, b"221 bye\r\n");
            }
        }
    });
}

#[test]
fn a_record_that_is_cut_gives_nothing() {
    Client::new().each(|_, config| {
        let mut server = Server::good();
        let mut client = open(&config, &mut server);
        let record = server.say(b"250 fine\r\n");
        client.handle_input(&record[..record.len() - 1]).unwrap();
        client.handle_eof();
        let mut read = vec![];
        assert_eq!(client.read(&mut read).unwrap(), ReadState::Truncated);
        assert!(read.is_empty());
    });
}

#[test]
fn a_forged_record_is_an_error_behind_what_was_good() {
    Client::new().each(|_, config| {
        let mut server = Server::good();
        let mut client = open(&config, &mut server);
        let mut records = server.say(b"250 fine\r\n");
        records.extend(server.say(b"250 more\r\n"));
        *records.last_mut().unwrap() ^= 1;
        client.handle_input(&records).unwrap();
        let mut read = vec![];
        let error = client.read(&mut read).unwrap_err();
        assert!(error.text().contains("the TLS connection broke"), "{error}");
        assert_eq!(read, b"250 fine\r\n");
    });
}

#[test]
fn close_is_announced_behind_what_was_written() {
    Client::new().each(|_, config| {
        let mut server = Server::good();
        let mut client = open(&config, &mut server);
        client.write(b"QUIT\r\n").unwrap();
        client.close();
        client.close();
        assert_eq!(client.write(b"more").unwrap(), 0);
        pump(&mut client, &mut server, 3).unwrap();
        assert!(server.closed);
        assert_eq!(server.got, b"QUIT\r\n");
        // The other way is still open.
        let mut read = vec![];
        client.handle_input(&server.say(b"221 bye\r\n")).unwrap();
        client.read(&mut read).unwrap();
        assert_eq!(read, b"221 bye\r\n");
    });
}

#[test]
fn a_mebibyte_each_way_in_pieces() {
    let much: Vec<u8> = (0u32..1 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    Client::new().each(|_, config| {
        let mut server = Server::good();
        let mut client = open(&config, &mut server);
        let mut rest = &much[..];
        while !rest.is_empty() {
            let n = client.write(&rest[..rest.len().min(100_000)]).unwrap();
            rest = &rest[n..];
            assert!(client.unsent() < 64 * 1024 + 17 * 1024, "bounded");
            if n < 100_000 {
                let part = client.poll_output();
                let part = part[..part.len().min(1009)].to_vec();
                client.output_done(part.len());
                server.step(&part);
            }
        }
        pump(&mut client, &mut server, 1009).unwrap();
        assert!(server.got == much);
        assert_eq!(client.plaintext_sent(), much.len() as u64);

        let mut read = vec![];
        for piece in much.chunks(30_000) {
            for part in server.say(piece).chunks(1009) {
                client.handle_input(part).unwrap();
                client.read(&mut read).unwrap();
            }
        }
        assert!(read == much);
    });
}

#[test]
fn what_was_sent_is_known_to_the_octet() {
    Client::new().each(|name, config| {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let mut server = Server::new(acceptor_of(&GOOD, version).build());
            let mut client = open(&config, &mut server);
            assert_eq!(client.plaintext_sent(), 0);
            let pieces: [&[u8]; 4] = [b"MAIL\r\n", &[b'x'; 17_000], b"", b".\r\n"];
            for piece in pieces {
                assert_eq!(client.write(piece).unwrap(), piece.len());
            }
            assert_eq!(client.plaintext_sent(), 0, "nothing has left");
            client.close();
            let mut steps = vec![];
            while client.unsent() > 0 {
                let octet = client.poll_output()[..1].to_vec();
                client.output_done(1);
                server.step(&octet);
                // Exactly what the server could decrypt.
                assert_eq!(client.plaintext_sent(), server.got.len() as u64, "{name}");
                if steps.last() != Some(&client.plaintext_sent()) {
                    steps.push(client.plaintext_sent());
                }
            }
            assert_eq!(steps, [0, 6, 6 + 16_384, 6 + 17_000, 6 + 17_000 + 3]);
            client.output_done(99);
            assert_eq!(client.plaintext_sent(), 17_009);
        }
    });
}

#[test]
fn many_connections_share_one_configuration() {
    Client::new().each(|_, config| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let config = config.clone();
                std::thread::spawn(move || drop(open(&config, &mut Server::good())))
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
    });
}

#[cfg(feature = "tls-openssl")]
#[test]
fn errors_that_another_user_of_the_library_left_are_not_ours() {
    let left = ::openssl::x509::X509::from_pem(b"junk").unwrap_err();
    let client = Client::new();
    let config = TlsConfig::new(client.settings.clone()).unwrap();
    let mut server = Server::good();
    let mut client = open(&config, &mut server);
    left.put();
    assert_eq!(client.read(&mut vec![]).unwrap(), ReadState::WantInput);
    left.put();
    assert_eq!(client.write(b"NOOP\r\n").unwrap(), 6);
    pump(&mut client, &mut server, 5).unwrap();
    assert_eq!(server.got, b"NOOP\r\n");
}
