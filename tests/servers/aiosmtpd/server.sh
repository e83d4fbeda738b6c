# shellcheck shell=bash
# Python's aiosmtpd in a virtual environment; server.py has its ports.
packages="$(tr '\n' ' ' <"$here/aiosmtpd/requirements.txt")"
greets='0 1 3 4 5' listens=2

obtain() {
  python3 -c 'import venv, ensurepip' 2>/dev/null || skip "python3's venv is missing: apt-get install python3-venv"
  python3 -m venv "$R"
  "$R/bin/pip" -q --disable-pip-version-check install --no-deps -r "$here/aiosmtpd/requirements.txt" >"$R.debs/errors" 2>&1 ||
    skip "pip failed: $(grep ERROR "$R.debs/errors" | tail -n 1)"
}
configure() { :; }
launch() {
  export user domain password host refused later full SIZE_LIMIT CERT
  run "$R/bin/python" "$here/aiosmtpd/server.py" "$B" "$P"
}
