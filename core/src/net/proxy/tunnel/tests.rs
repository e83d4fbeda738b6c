use super::*;

const SOCKS: &[(&[u8], &[u8])] = &[
    (&[5, 2, 0, 2], &[5, 2]),
    (b"\x01\x01u\x01p", &[1, 0]),
    (b"\x05\x01\x00\x03\x01h\0\x19", &[5, 0, 0, 3, 2, b'h', b'i', 0, 25]),
];
const HTTP: &[(&[u8], &[u8])] = &[(
    b"CONNECT h:25 HTTP/1.1\r\nHost: h:25\r\nProxy-Authorization: Basic dTpw\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n",
)];

fn tunnel(scheme: &str) -> Tunnel {
    let proxy = Proxy::parse(&format!("{scheme}://u:p@[::1]:9")).unwrap();
    assert_eq!((proxy.host().as_str(), proxy.port()), ("::1", 9));
    Tunnel::new(&proxy, "h", 25, Duration::from_secs(3)).unwrap()
}

fn said(tunnel: &mut Tunnel) -> Vec<u8> {
    let output = tunnel.poll_output().to_vec();
    tunnel.output_done(output.len());
    assert_eq!(tunnel.poll_output(), b"");
    output
}

#[test]
fn pieces_make_no_difference_and_the_rest_is_the_servers() {
    for (scheme, script) in [("socks5", SOCKS), ("http", HTTP)] {
        for piece in [1, 2, 3, 1000] {
            let mut tunnel = tunnel(scheme);
            for (index, (expected, answer)) in script.iter().enumerate() {
                assert_eq!(said(&mut tunnel), *expected);
                assert_eq!(tunnel.outcome(), None);
                let last = index + 1 == script.len();
                let answer = if last { [answer, &b"220 hi\r\n"[..]].concat() } else { answer.to_vec() };
                let mut behind = Vec::new();
                for part in answer.chunks(piece) {
                    match tunnel.outcome() {
                        None => tunnel.handle_input(part),
                        Some(outcome) => {
                            outcome.unwrap();
                            behind.extend_from_slice(part);
                        }
                    }
                }
                if last {
                    assert_eq!(tunnel.outcome(), Some(Ok(())));
                    assert_eq!([tunnel.rest(), &behind].concat(), b"220 hi\r\n", "{scheme} {piece}");
                }
            }
            assert_eq!(tunnel.poll_output(), b"");
        }
    }
}

#[test]
fn whatever_ends_it_names_the_proxy() {
    type End = fn(&mut Tunnel);
    let ends: [(End, Kind, &str); 4] = [
        (|t| t.handle_eof(), Kind::Connect, "closed the connection before"),
        (|t| t.handle_timeout(), Kind::Timeout, "no answer within 3s"),
        (|t| t.handle_error(Error::new(Kind::Closed, Step::Command, "lost")), Kind::Connect, "lost"),
        (|t| t.abort(Error::new(Kind::Cancelled, Step::Command, "enough")), Kind::Cancelled, "enough"),
    ];
    for (end, kind, words) in ends {
        let mut tunnel = tunnel("http");
        end(&mut tunnel);
        tunnel.handle_input(b"HTTP/1.1 200 OK\r\n\r\n");
        let error = tunnel.outcome().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.step()), (kind, Step::Connect));
        assert!(
            error.text().starts_with("proxy http://[::1]:9: ") && error.text().contains(words),
            "{error}"
        );
        assert_eq!(tunnel.poll_output(), b"");
    }
}
