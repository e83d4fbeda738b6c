use super::super::tests::{SOCKS_OK, play, socks_request};
use crate::error::{Kind, Step};

#[test]
fn socks5_takes_names_and_addresses() {
    for (host, kind) in [
        ("mail.example", &b"\x03\x0cmail.example"[..]),
        ("bücher.example", b"\x03\x15xn--bcher-kva.example"),
        ("192.0.2.1", &[1, 192, 0, 2, 1]),
        ("[::1]", &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ] {
        let request = socks_request(kind);
        for bound in
            [&SOCKS_OK[3..], &[3, 2, b'h', b'i', 0, 25], &[3, 0, 0, 25], &[[4].as_slice(), &[0; 18]].concat()]
        {
            let answer = [&[5, 0, 0], bound].concat();
            play("socks5h://", host, &[(&[5, 1, 0], &[5, 0]), (&request, &answer)]).unwrap();
        }
    }
}

#[test]
fn socks5_logs_in() {
    let request = socks_request(&[1, 192, 0, 2, 1]);
    let offer: (&[u8], &[u8]) = (&[5, 2, 0, 2], &[5, 2]);
    let login = b"\x01\x04user\x06s3cret";
    play("socks5://user:s3cret@", "192.0.2.1", &[offer, (login, &[1, 0]), (&request, SOCKS_OK)]).unwrap();
    // The proxy may also not care.
    play("socks5://user:s3cret@", "192.0.2.1", &[(&[5, 2, 0, 2], &[5, 0]), (&request, SOCKS_OK)]).unwrap();

    let error = play("socks5://user:s3cret@", "192.0.2.1", &[offer, (login, &[1, 1])]).unwrap_err();
    assert!(error.text().contains("refused the login") && !error.is_transient(), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[test]
fn socks5_refusals_are_told_apart() {
    let request = socks_request(&[1, 192, 0, 2, 1]);
    for (code, words, transient) in [
        (1, "general failure", true),
        (2, "not allowed", false),
        (3, "network unreachable", true),
        (4, "host unreachable", true),
        (5, "connection refused", true),
        (6, "TTL expired", true),
        (7, "CONNECT", false),
        (8, "type of address", false),
        (99, "reply 99", false),
    ] {
        for answer in [&[5, code, 0, 1, 0, 0, 0, 0, 0, 0][..], &[5, code]] {
            let error =
                play("socks5://", "192.0.2.1", &[(&[5, 1, 0], &[5, 0]), (&request, answer)]).unwrap_err();
            assert_eq!((error.kind(), error.step()), (Kind::Connect, Step::Connect));
            assert_eq!((error.server(), error.is_transient()), (Some("192.0.2.1:25"), transient), "{error}");
            assert!(
                error.text().starts_with("proxy socks5://127.0.0.1:") && error.text().contains(words),
                "{error}"
            );
        }
    }
    for (answer, words) in [
        (&[5, 0xff][..], "wants a login"),
        (&[5, 1], "by user and password"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not SOCKS5"),
        (b"220 mail.example ESMTP\r\n", "not SOCKS5"),
        (&[4, 0], "not SOCKS5"),
    ] {
        let error = play("socks5://", "192.0.2.1", &[(&[5, 1, 0], answer)]).unwrap_err();
        assert!(error.text().contains(words), "{error}");
    }
    for (answer, words) in [(&[5, 0, 0, 9, 0, 0][..], "unknown type 9"), (&[1, 0, 0, 1], "not SOCKS5")] {
        let error = play("socks5://", "192.0.2.1", &[(&[5, 1, 0], &[5, 0]), (&request, answer)]).unwrap_err();
        assert!(error.text().contains(words), "{error}");
    }
}
