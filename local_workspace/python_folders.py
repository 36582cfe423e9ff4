"""Where the Pythons of this machine lie; uv looks into the folders and says which one will do.

Set-up reads it before `.venv` exists, with any Python from 3.8 on: standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Mapping

# Where conda's installers put it, below the home folder or at this path.
_CONDA_FOLDERS = (
    "miniconda3",
    "anaconda3",
    "miniforge3",
    "mambaforge",
    "micromamba",
    "/opt/conda",
)


def search_path(variables: Mapping[str, str]) -> str:
    """The PATH to call uv with, made of that in the environment `variables`.

    uv finds the Pythons that it installed itself and those on PATH. Behind PATH come here the
    folders of pyenv's and conda's Pythons, which need not be on it. pyenv's shims are left out:
    each stands for a Python that may not be switched on, and takes half a second to say so.
    """
    home = Path(variables.get("HOME") or os.path.expanduser("~"))
    pyenv = Path(variables.get("PYENV_ROOT") or home / ".pyenv")
    on_path = variables.get("PATH", os.defpath).split(os.pathsep)
    folders = [folder for folder in on_path if folder and folder != str(pyenv / "shims")]
    behind = [*sorted(pyenv.glob("versions/*/bin"), reverse=True), *_of_conda(home)]
    folders += [str(folder) for folder in behind if (folder / "python3").exists()]
    return os.pathsep.join(dict.fromkeys(folders))


def _of_conda(home: Path) -> Iterator[Path]:
    """conda's own folders and those of its environments."""
    # conda writes down every environment that it makes, wherever it lies.
    register = home / ".conda" / "environments.txt"
    try:
        lines = register.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    yield from (Path(line.strip()) / "bin" for line in lines if line.strip())
    for folder in _CONDA_FOLDERS:
        yield home / folder / "bin"
        yield from sorted((home / folder).glob("envs/*/bin"))
