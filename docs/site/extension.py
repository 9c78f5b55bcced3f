"""Griffe's hook: every docstring passes through `docstrings.markdown` before its sections are read."""

from typing import Any

import griffe
from docstrings import markdown


class Extension(griffe.Extension):
    """Rewrites the docstrings of this package."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """The package itself is no object within another."""
        self.on_object(obj=pkg)

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
