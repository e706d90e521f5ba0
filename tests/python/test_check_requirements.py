"""What ``remesos check`` finds in requirements, in each kind of file that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mesos._check import check_paths

if TYPE_CHECKING:
    from pathlib import Path


def found(tmp_path: Path, name: str, text: str) -> list[tuple[int, str]]:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return [(finding.line, finding.code) for finding in check_paths([tmp_path])]


SETUP = """\
from setuptools import setup

setup(
    name='mesos',
    packages=['mesos', 'mesos.interface'],
    keywords=['mesos', 'protobuf'],
    install_requires=[
        'mesos.interface==0.22.0',
        'protobuf>=2.5.0,<3',
        "pymesos>=0.2",
        'remesos', 'six',
    ],
    extras_require={'mesos': ['mesos.native']},
)
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("setup.py", SETUP, [(8, "pinned-interface"), (9, "old-protobuf"), (10, "pymesos-requirement"),
                             (13, "pinned-interface")]),
        ("setup.py", "deps = ['mesos.interface']\nsetup(name='x', install_requires=deps)\n", [(1, "pinned-interface")]),
        ("setup.cfg", "[metadata]\nname = mesos\n[options]\ninstall_requires =\n    mesos.interface\n    six\n",
         [(5, "pinned-interface")]),
        ("pyproject.toml", "[project]\nname = 'mesos'\ndependencies = [\n  'mesos.native>=0.20',\n  'protobuf>=4.25',\n]\n",
         [(4, "pinned-interface")]),
        ("Pipfile", "[packages]\npymesos = '*'\n\"mesos.interface\" = '==1.0'\nsix = '*'\n",
         [(2, "pymesos-requirement"), (3, "pinned-interface")]),
        ("requirements.txt", "mesos.interface==0.21.1\n# mesos.native\nsix\nprotobuf==2.6.1\nmesos-utils\n",
         [(1, "pinned-interface"), (4, "old-protobuf")]),
        ("requirements/base.txt", "mesos.interface\n", [(1, "pinned-interface")]),
        ("dev-requirements.txt", "-r base.txt\nmesos>=0.20  # the bindings\n", [(2, "pinned-interface")]),
        ("requirements.in", "futures==3.0\n", [(1, "python-2-package")]),
        ("setup.py", "setup(python_requires='>=2.6,<3')\n", [(1, "python-2-only")]),
        ("setup.py", "setup(python_requires='==2.7.*')\n", [(1, "python-2-only")]),
        ("setup.cfg", "[options]\npython_requires = ~=2.7\n", [(2, "python-2-only")]),
        ("pyproject.toml", "[project]\nrequires-python = '<3.0'\n", [(2, "python-2-only")]),
        ("Pipfile", "[requires]\npython_version = \"2.7\"\n", [(2, "python-2-only")]),
        ("Dockerfile", "FROM python:2.7\nRUN pip install six mesos.interface==0.22.1\nRUN apt-get install mesos\n",
         [(1, "pinned-python"), (2, "pinned-interface")]),
        ("Dockerfile", "RUN easy_install http://x/mesos-0.20.1-py2.7-linux-x86_64.egg\n", [(1, "pinned-interface")]),
    ],
)  # fmt: skip
def test_requirements_that_cannot_stay(tmp_path: Path, name: str, text: str, expected: list[tuple[int, str]]) -> None:
    assert found(tmp_path, name, text) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "remesos\nprotobuf>=4.25,<8\nprotobuf==4.25.3\nprotobuf==5.29.0\nmesos_utils==1\nmy.mesos\n"),
        ("requirements.txt", "protobuf>=3.20\nprotobuf<8\nprotobuf>=2.5\n"),
        ("requirements.txt", "# mesos.interface==0.21\n--find-links https://example.com/mesos/\n"),
        ("requirements.txt", "futures==3.0; python_version < '3'\nenum34; python_version < \"3.4\"\n"),
        ("setup.py", "setup(name='mesos', packages=['mesos'], description='protobuf on mesos', url='x/mesos')\n"),
        ("setup.py", "setup(classifiers=['Programming Language :: Python :: 2.7'], python_requires='>=2.7')\n"),
        ("pyproject.toml", "[project]\nname = 'mesos'\nrequires-python = '>=3.11'\nkeywords = ['mesos']\n"),
        ("Dockerfile", "FROM python:3.12\n"),
        ("Dockerfile", "FROM mesosphere/mesos:1.11.0\nRUN apt-get install -y mesos\nCMD mesos-master\n"),
        ("setup.py", "setup(python_requires='>=3.7,<3.12')\n"),
        ("setup.py", "setup(python_requires='>=2.7,!=3.0.*,<4')\n"),
        ("requirements.txt", "futures; python_version == '2.7'\nmesos.interface; python_version < '3'\n"),
        ("Pipfile", "[requires]\npython_version = \"3.12\"\n"),
        ("notes.txt", "mesos.interface==0.21.1\n"),
    ],
)  # fmt: skip
def test_requirements_that_can_stay(tmp_path: Path, name: str, text: str) -> None:
    assert found(tmp_path, name, text) == []


def test_a_comment_silences_a_requirement(tmp_path: Path) -> None:
    assert found(tmp_path, "requirements.txt", "mesos.interface==0.21.1  # remesos: ok\n") == []


def test_the_message_and_the_remedy_name_the_package(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n  mesos.native==0.21.1\n")
    (one,) = check_paths([tmp_path])
    assert (one.line, one.column) == (2, 3)
    assert "Apache's package mesos.native" in one.message
    assert "--no-deps" in one.remedy
