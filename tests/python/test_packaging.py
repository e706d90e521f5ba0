"""What is said in the project's own files of its packages: licences, links, and which interpreters are refused."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_licences_of_the_crates_are_up_to_date() -> None:
    checker = [sys.executable, ROOT / "tools" / "third_party_licenses.py", "--check"]
    done = subprocess.run(checker, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_free_threaded_python_is_refused_with_a_clear_word() -> None:
    code = inspect.cleandoc("""
        import sysconfig
        original = sysconfig.get_config_var
        sysconfig.get_config_var = lambda name: 1 if name == "Py_GIL_DISABLED" else original(name)
        import mesos
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ImportError: remesos does not run on free-threaded Python" in done.stderr
