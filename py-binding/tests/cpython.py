"""CPython's own tests of smtplib, as this Python has them, against ``smtpclient.smtplib``.

    python cpython.py

What fails for a reason stands in cpython.allow, a line ``name: reason`` each. Any other failure fails, and so does a
listed test that passes. Exit status 77: this Python comes without its tests.
"""

import sys
import unittest
import warnings
from pathlib import Path

import allowed
from smtpclient import smtplib

warnings.simplefilter("ignore")
try:
    from test import test_smtplib
except ImportError as error:
    print(f"SKIPPED: this Python comes without its tests ({error}; Debian: libpython3-testsuite)")
    sys.exit(77)

# Names that the test module looks up when a test runs.
test_smtplib.smtplib = smtplib
for name, found in vars(test_smtplib).items():
    if isinstance(getattr(found, "client", None), type):
        found.client = getattr(smtplib, found.client.__name__)

suite = unittest.defaultTestLoader.loadTestsFromModule(test_smtplib)
sys.exit(allowed.run(suite, "CPython's tests of smtplib", Path(__file__).with_suffix(".allow"), "test.test_smtplib."))
