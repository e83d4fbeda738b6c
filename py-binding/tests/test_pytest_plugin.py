"""The fixtures that pytest finds where the package is installed."""

pytest_plugins = ["pytester"]


def test_the_fixtures(pytester):
    pytester.makepyfile(
        """
        import smtplib

        def test_one(smtp_sink):
            with smtplib.SMTP("127.0.0.1", smtp_sink.port) as server:
                server.sendmail("a@c.example", ["b@s.example"], b"Subject: x\\n\\nHi.\\n")
            [(envelope, content)] = smtp_sink.messages()
            assert "<b@s.example>" in envelope[1] and b"Hi." in content

        def test_each_has_its_own(smtp_sink, smtp_sinks):
            other = smtp_sinks(rejects=["*=550 5.1.1 no"])
            assert other.port != smtp_sink.port and smtp_sink.messages() == []
        """
    )
    plugin = [] if "smtpclient" in [name for name, _ in pytester._request.config.pluginmanager.list_name_plugin()] else [
        "-p", "smtpclient.pytest_plugin"
    ]
    pytester.runpytest_subprocess(*plugin).assert_outcomes(passed=2)


def test_tls(pytester):
    pytester.makepyfile(
        """
        import smtplib, ssl

        def test_tls(smtp_sink_tls):
            context = ssl.create_default_context(cadata=smtp_sink_tls.certificate)
            with smtplib.SMTP("localhost", smtp_sink_tls.port) as server:
                server.starttls(context=context)
                server.sendmail("a@c.example", ["b@s.example"], b"Subject: x\\n\\nHi.\\n")
            assert smtp_sink_tls.count == 1
        """
    )
    plugin = [] if "smtpclient" in [name for name, _ in pytester._request.config.pluginmanager.list_name_plugin()] else [
        "-p", "smtpclient.pytest_plugin"
    ]
    pytester.runpytest_subprocess(*plugin).assert_outcomes(passed=1)
