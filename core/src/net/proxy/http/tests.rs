use super::super::tests::play;
use crate::error::Kind;

#[test]
fn http_connects_names_and_addresses() {
    for (host, authority) in [
        ("mail.example", "mail.example:25"),
        ("192.0.2.1", "192.0.2.1:25"),
        ("::1", "[::1]:25"),
        ("bücher.example", "xn--bcher-kva.example:25"),
    ] {
        let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        let filled = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(5000));
        for answer in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200\r\n\r\n",
            "HTTP/1.1 204 x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\nVia: x\n\n",
            &filled,
        ] {
            play("http://", host, &[(request.as_bytes(), answer.as_bytes())]).unwrap();
        }
    }
}

#[test]
fn http_logs_in() {
    let plain = "CONNECT h:25 HTTP/1.1\r\nHost: h:25\r\n";
    let request = format!("{plain}Proxy-Authorization: Basic dXNlcjpzM2NyZXQ=\r\n\r\n");
    play("http://user:s3cret@", "h", &[(request.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n")]).unwrap();

    let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    let error = play("http://user:s3cret@", "h", &[(request.as_bytes(), refusal)]).unwrap_err();
    assert!(error.text().contains("it refused: HTTP/1.1 407") && !error.is_transient(), "{error}");
    let error = play("http://", "h", &[(format!("{plain}\r\n").as_bytes(), refusal)]).unwrap_err();
    assert!(error.text().contains("none was given"), "{error}");
}

#[test]
fn http_refusals_keep_the_words() {
    let request = b"CONNECT h:25 HTTP/1.1\r\nHost: h:25\r\n\r\n";
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(20_000));
    for (answer, words, transient) in [
        (
            &b"HTTP/1.1 403 Port \x07not allowed\r\n\r\n"[..],
            "it refused: HTTP/1.1 403 Port ?not allowed",
            false,
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\nX: y\r\n\r\n", "502 Bad Gateway", true),
        (b"HTTP/1.1 302 Found\r\n\r\n", "302 Found", false),
        (b"HTTP/1.1 xyz\r\n\r\n", "not HTTP", false),
        (b"HTTP/\r\n\r\n", "not HTTP", false),
        (b"220 mail.example ESMTP\r\n", "not HTTP: it begins with \"220 mail.example ESM\"", false),
        (b"\x05\xff", "not HTTP", false),
        (endless.as_bytes(), "no end within", false),
    ] {
        let error = play("http://", "h", &[(request, answer)]).unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (Kind::Connect, transient), "{error}");
        assert!(error.text().contains(words), "{error}");
    }
}
