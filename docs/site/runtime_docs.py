"""What the native module says of itself: its types are in a stub, its docstrings in the Rust that they document."""

import importlib
import inspect

import griffe


def at_runtime(path):
    """The object that a path in the native module names."""
    found = importlib.import_module("smtpclient._native")
    for name in path.removeprefix("smtpclient._native.").split("."):
        found = getattr(found, name)
    return found


class RuntimeDocs(griffe.Extension):
    def on_object(self, *, obj, **_):
        native = obj.path.startswith("smtpclient._native.") and not (obj.is_alias or obj.name.startswith("_"))
        if native and obj.docstring is None:
            text = inspect.getdoc(at_runtime(obj.path))
            if text:
                obj.docstring = griffe.Docstring(text, parent=obj)
