"""Runs the notebooks in `examples/`, and saves them with their outputs.

python tools/notebooks.py [NOTEBOOK...]
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook, run from its start in a kernel of its own.

    :raises nbclient.exceptions.CellExecutionError: a cell raised an exception
    """
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        # When it ran is of no interest.
        cell.metadata.pop("execution", None)
    # The version of the Python that it ran on, among others.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


if __name__ == "__main__":
    for each in [Path(argument) for argument in sys.argv[1:]] or sorted(EXAMPLES.glob("*.ipynb")):
        nbformat.write(executed(each), each)
