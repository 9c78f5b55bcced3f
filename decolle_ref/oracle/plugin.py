"""pytest --decolle-backend=MODULE:OBJECT: every vector becomes a test of that backend."""

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("decolle_ref", "conformance of a DECOLLE backend")
    group.addoption("--decolle-backend", metavar="MODULE:OBJECT", help="test this backend against the oracle's vectors")
    group.addoption("--decolle-profile", metavar="NAME", help="its arithmetic: float32, Q8.16, ... or a JSON file")
    group.addoption("--decolle-expected", metavar="TOML", help="vectors that must fail, with reasons")
    group.addoption("--decolle-seed", type=int, help="of the fresh vectors (default: a new one each time)")


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add one test for each vector."""
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

    named, expected = config.getoption("--decolle-profile"), config.getoption("--decolle-expected")
    backend = backends.load(config.getoption("--decolle-backend"), profile.read(Path(named)) if named else None)
    seed = config.getoption("--decolle-seed")
    seed = runner.random_seed() if seed is None else seed
    chosen = runner.selection(backend.profile, seed)
    reasons = runner.read_expected(Path(expected)) if expected else {}
    runner.known(reasons, chosen)
    for vector in chosen:
        yield VectorItem.from_parent(session, name=vector.id, backend=backend, vector=vector, reason=reasons, seed=seed)


class VectorItem(pytest.Item):
    """One vector."""

    def __init__(self, *, backend: Any, vector: Any, reason: dict[str, str], seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backend, self.vector, self.seed = backend, vector, seed
        self.reasons = {vector.id: reason[vector.id]} if vector.id in reason else {}

    def runtest(self) -> None:
        """Run it."""
        from decolle_ref.oracle import runner

        (outcome,) = runner.run(self.backend, [self.vector], self.reasons)
        if outcome.status == "unsupported":
            pytest.skip(outcome.text)
        if not outcome.good:
            raise VectorFailed(f"{outcome}\n(seed {self.seed})")

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The report alone, without a traceback."""
        return str(excinfo.value) if excinfo.errisinstance(VectorFailed) else super().repr_failure(excinfo)

    def reportinfo(self) -> Any:
        """Where it comes from."""
        return "decolle_ref", None, f"vector {self.name}"


class VectorFailed(AssertionError):
    """A backend did not pass a vector."""
