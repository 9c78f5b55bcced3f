"""CI's script can fail: no line of it hides the exit code of a check."""

import re
import subprocess
from pathlib import Path

SCRIPT = (Path(__file__).parent.parent / ".ci" / "run").read_text()
LINES = [line.strip() for line in SCRIPT.splitlines() if not line.strip().startswith("#")]


def test_every_failure_ends_the_script():
    assert "set -euo pipefail" in LINES


def test_no_check_is_negated():
    """Under `set -e` a command behind `!` never ends the script, whatever its code."""
    assert not [line for line in LINES if line.startswith("!")]


def test_no_check_is_followed_by_an_or():
    assert not [line for line in LINES if "|| " in line]


def test_what_a_substitution_gives_is_assigned_first():
    """The code of a $(...) within the arguments of a command is lost; that of an assignment ends the script."""
    assert not [line for line in LINES if "$(" in line and not re.match(r"(\w+=\$\(.*\)|cd .*dirname.*)$", line)]


def test_a_command_that_the_readme_lacks_ends_the_script(tmp_path):
    (function,) = re.findall(r"^readme\(\) \{.*?^\}$", SCRIPT, re.MULTILINE | re.DOTALL)
    (tmp_path / "README.md").write_text("python3 -m venv .venv && .venv/bin/pytest\n")
    for name, code in (("pytest", 0), ("decolle-ref regression", 1)):
        script = f'set -euo pipefail\n{function}\ncommand=$(readme "{name}")\necho "$command"'
        assert subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True).returncode == code


def test_every_test_that_needs_another_framework_runs_in_a_step_that_has_it():
    """Elsewhere it is skipped."""
    packages = {name: name for name in ("torch", "jax", "snntorch", "norse", "spikingjelly")}
    for framework, package in (packages | {"distributed": "dask"}).items():
        step = rf"(pip install|for library in) .*\b{package}\b"
        (at, *_) = [n for n, line in enumerate(LINES) if re.search(step, line)]
        ran = "\n".join(line for line in LINES[at:] if "pytest" in line)
        needing = [
            path.relative_to(Path(__file__).parent.parent).as_posix()
            for path in sorted(Path(__file__).parent.rglob("test_*.py"))
            if re.search(rf'(importorskip|installed)\("{framework}"', path.read_text())
            and path.name != Path(__file__).name
            and "pytestmark = pytest.mark.study" not in path.read_text()
        ]
        assert needing and all(name in ran for name in needing)
