import pytest


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty data folder."""
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path / "data"))
    return tmp_path / "data"
