"""Django, set up once for the tests of this package: a process has one Django."""

import importlib.util
import tempfile

import django
from django.conf import settings

#: ``django.tasks``, or its backport; ``None`` where neither is installed.
TASKS = "django.tasks" if django.VERSION >= (6,) else "django_tasks" if importlib.util.find_spec("django_tasks") else None

_folder = tempfile.TemporaryDirectory(prefix="smtpclient-django-")

settings.configure(
    EMAIL_BACKEND="smtpclient.django.EmailBackend",
    DEFAULT_FROM_EMAIL="web@c.example",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{_folder.name}/db"}},
    INSTALLED_APPS=[TASKS] if TASKS == "django_tasks" else [],
    TASKS={"default": {"BACKEND": f"{TASKS}.backends.immediate.ImmediateBackend"}},
    USE_TZ=True,
)
django.setup()
