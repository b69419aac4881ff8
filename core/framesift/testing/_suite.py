"""What the suites of all kinds of parts share."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from framesift.registry import AnyPart, Registry


class Suite:
    """A class of tests about one part, which a subclass names in `spec`."""

    spec: ClassVar[Any]
    """What is tested: a spec string such as `"mine:option=1"`, an instance, or a class."""

    def made(self, registry: Registry[AnyPart]) -> AnyPart:
        """Returns a new part as `spec` says, with the options that it states."""
        spec = self.named()
        return registry.create(spec() if isinstance(spec, type) else spec)

    def named(self) -> Any:
        """Returns `spec`, or fails the test where a subclass forgot to state it."""
        if not hasattr(self, "spec"):
            pytest.fail(f"{type(self).__name__} must name what it tests: spec = 'my-part'")
        return self.spec

    def skip_unless_registered(self) -> None:
        """Skips a promise about spec strings where the part is given as an instance or a class."""
        if hasattr(self, "spec") and not isinstance(self.spec, str):
            pytest.skip("given as an instance or a class, so that no spec string names it")
