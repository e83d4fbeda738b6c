"""The crates whose code is in what is built from a manifest with certain features, for packaging/notices and packaging/sbom."""

import json
import os
import subprocess


def cargo(*words: str) -> str:
    return subprocess.run(["cargo", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def shipped(manifest: str, features: str) -> list[dict]:
    """Their packages as cargo describes them, in the order of their names: not what only builds or tests, nor macros, which run in
    the compiler. TARGET is the platform, by default this one."""
    host = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    target = os.environ.get("TARGET") or next(line[6:] for line in host.splitlines() if line.startswith("host: "))
    only = ["--locked", "--manifest-path", manifest]
    tree = cargo("tree", *only, "--edges=normal,no-proc-macro", "--target", target, "--no-default-features", "--features", features,
                 "--prefix=none", "--format={p}")
    names = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    packages = json.loads(cargo("metadata", *only, "--all-features", "--format-version=1"))["packages"]
    # Those of the workspace are under the licence that stands beside this.
    found = [one for one in packages if one["source"] and (one["name"], f"v{one['version']}") in names]
    return sorted(found, key=lambda one: (one["name"], one["version"]))
