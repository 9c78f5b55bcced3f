"""The pytest plugin: with `pytest --decolle-backend=MODULE:OBJECT` every vector becomes a test of that backend.

It imports the package only if that option is there.
"""

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; pytest calls this."""
    group = parser.getgroup("decolle_ref", "conformance of a DECOLLE backend")
    group.addoption("--decolle-backend", metavar="MODULE:OBJECT", help="test this backend against the oracle's vectors")
    group.addoption("--decolle-profile", metavar="NAME", help="its arithmetic: float32, Q8.16, ... or a JSON file")
    group.addoption("--decolle-expected", metavar="TOML", help="vectors that must fail, with reasons")
    group.addoption("--decolle-seed", type=int, help="seed of the random vectors (default: a new one each time)")


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add one test for each vector; pytest calls this."""
    if config.getoption("--decolle-backend"):
        items.extend(_vectors(session, config))


def _vectors(session: pytest.Session, config: pytest.Config) -> Iterator[pytest.Item]:
    from decolle_ref._util.check import InputError

    try:
        yield from _items(session, config)
    except InputError as problem:
        raise pytest.UsageError(str(problem)) from None


def _items(session: pytest.Session, config: pytest.Config) -> Iterator[pytest.Item]:
    from pathlib import Path

    from decolle_ref.oracle import backends, profile, runner
    from decolle_ref.oracle.vectors.catalogue import select

    named, file = config.getoption("--decolle-profile"), config.getoption("--decolle-expected")
    backend = backends.load(config.getoption("--decolle-backend"), profile.read(Path(named)) if named else None)
    seed = config.getoption("--decolle-seed")
    seed = runner.random_seed() if seed is None else seed
    vectors = select(backend.profile, seed)
    reasons = runner.read_expected(Path(file)) if file else {}
    runner.validate_expected(reasons, [vector.id for vector in vectors])
    for vector in vectors:
        yield VectorItem.from_parent(
            session, name=vector.id, backend=backend, vector=vector, reasons=reasons, seed=seed
        )


class VectorItem(pytest.Item):
    """The test of one vector."""

    def __init__(self, *, backend: Any, vector: Any, reasons: dict[str, str], seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backend, self.vector, self.seed = backend, vector, seed
        self.reasons = {vector.id: reasons[vector.id]} if vector.id in reasons else {}

    def runtest(self) -> None:
        """Run the vector; skip it where the backend does not support it or its level does not decide it."""
        from decolle_ref.oracle import runner

        (outcome,) = runner.run(self.backend, [self.vector], self.reasons)
        if outcome.fails(self.backend.profile.level):
            raise VectorFailed(f"{outcome}\n(seed {self.seed})")
        if outcome.status in ("unsupported", "inconclusive"):
            pytest.skip(outcome.text)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The report, without a traceback."""
        return str(excinfo.value) if excinfo.errisinstance(VectorFailed) else super().repr_failure(excinfo)

    def reportinfo(self) -> Any:
        """The name of the test."""
        return "decolle_ref", None, f"vector {self.name}"


class VectorFailed(AssertionError):
    """A backend did not pass a vector."""
