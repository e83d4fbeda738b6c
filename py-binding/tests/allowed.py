"""Runs a suite that was written for something else, and compares what fails with a list of what may."""

import io
import re
import time
import unittest


class Result(unittest.TextTestResult):
    """Remembers what passed, too. A test of which a part (subTest) fails is one failure."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.passed = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.append(test)


def run(suite, title, path, prefix):
    """Run it; the exit status. ``path`` has lines ``name: reason``, names without the prefix."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    known = dict(re.match(r"(\S+): (.+)", line).groups() for line in lines)
    said, began = io.StringIO(), time.monotonic()
    result = unittest.TextTestRunner(said, resultclass=Result, verbosity=0).run(suite)

    def names(tests):
        return {re.sub(r" \(.*", "", getattr(test, "test_case", test).id().removeprefix(prefix)) for test in tests}

    failed = names(test for test, _ in [*result.failures, *result.errors])
    passed, skipped = names(result.passed) - failed, names(test for test, _ in result.skipped)
    new, gone = failed - known.keys(), known.keys() - failed - skipped
    if new:
        print(said.getvalue())
    for name in sorted(new):
        print(f"FAILED {name}: it is not in {path.name}")
    for name in sorted(gone):
        print(f"FAILED {name}: it passes, and stands in {path.name}: {known[name]}")
    print(
        f"{title}: {len(passed)} passed, {len(new | gone)} failed, {len(failed & known.keys())} more for a reason in "
        f"{path.name}, {len(skipped)} skipped in {time.monotonic() - began:.1f}s"
    )
    return 1 if new or gone else 0
