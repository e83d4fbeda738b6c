"""Django's own tests of its SMTP backend, out of its source archive, against ``smtpclient.django.EmailBackend``.

    python django_suite.py FOLDER      the unpacked archive's folder `tests`

What fails for a reason stands in django_suite.allow, or django_suite-6.1.allow, as with cpython.py.
"""

import importlib
import logging
import sys
import unittest
import warnings
from pathlib import Path

import allowed
import django
from django.conf import settings
from django.core.mail.backends import smtp
from django.test.utils import setup_test_environment

warnings.simplefilter("ignore")
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # of the server, aiosmtpd
sys.path.insert(0, sys.argv[1])
settings.configure(USE_TZ=True, SECRET_KEY="x", DATABASES={}, ADMINS=[], MANAGERS=[])
django.setup()
setup_test_environment()

from smtpclient.django import EmailBackend  # noqa: E402

smtp.EmailBackend = EmailBackend
# Django 6.1 has a file for the backends.
where, reasons = ("mail.tests", "") if django.VERSION < (6, 1) else ("mail.test_backends", "-6.1")
tests = importlib.import_module(where)
classes = [found for name, found in vars(tests).items() if name.startswith("SMTPBackend") and name.endswith("Tests")]
suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(found) for found in classes)
title = f"Django {django.get_version()}'s tests of its SMTP backend"
sys.exit(allowed.run(suite, title, Path(__file__).with_name(f"django_suite{reasons}.allow"), f"{where}."))
