import subprocess

import pytest

from tests.support.c_programs import CC, EXAMPLES


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The two programs, compiled as their first lines say."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("decolle", "decolle_fixed"):
        build = [CC, "-O2", "-std=c99", "-o", str(folder / name), f"{name}.c", "-lm"]
        subprocess.run(build, cwd=EXAMPLES / "c", check=True, timeout=60)
    return folder
