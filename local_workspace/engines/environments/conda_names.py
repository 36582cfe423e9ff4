"""Conda packages as packages of the Python package index."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet

# Names that differ; everything else is called alike, apart from `-` and `_`.
_PYPI_NAMES = {
    "blas": None,
    "black-jupyter": "black[jupyter]",
    "dask-core": "dask",
    "flatbuffers-python": "flatbuffers",
    "fiona": "fiona",
    "keras-gpu": "keras",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "prophet": "prophet",
    "psycopg2": "psycopg2-binary",
    "py-lightgbm": "lightgbm",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "pyqt": "pyqt5",
    "pytables": "tables",
    "python-blosc": "blosc",
    "python-graphviz": "graphviz",
    "python-snappy": "python-snappy",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "pytorch-lightning": "pytorch-lightning",
    "ruamel-yaml": "ruamel.yaml",
    "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow",
    "tensorflow-cpu": "tensorflow-cpu",
    "tensorflow-eigen": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-mkl": "tensorflow",
    "torchvision-cpu": "torchvision",
    "xgboost-cpu": "xgboost",
    "xgboost-gpu": "xgboost",
}

# Programs and C libraries that only conda packs; the wheels bring what they need of these.
_CONDA_ONLY = frozenset(
    {
        "arrow-cpp",
        "binutils",
        "blas",
        "boost",
        "bzip2",
        "c-ares",
        "ca-certificates",
        "cairo",
        "conda",
        "conda-build",
        "curl",
        "expat",
        "ffmpeg",
        "fontconfig",
        "freetype",
        "gcc",
        "gfortran",
        "git",
        "glib",
        "gmp",
        "graphviz",
        "gxx",
        "hdf5",
        "icu",
        "intel-openmp",
        "jpeg",
        "krb5",
        "ld-impl-linux-64",
        "llvm-openmp",
        "lz4-c",
        "make",
        "mamba",
        "micromamba",
        "mkl",
        "mpich",
        "mysql",
        "ncurses",
        "nodejs",
        "nomkl",
        "openblas",
        "openjdk",
        "openmpi",
        "openssl",
        "pandoc",
        "perl",
        "postgresql",
        "python-abi",
        "pytorch-mutex",
        "qt",
        "readline",
        "sqlite",
        "tk",
        "tzdata",
        "unzip",
        "vc",
        "vs2015-runtime",
        "wget",
        "xz",
        "yaml",
        "zip",
        "zlib",
        "zstd",
    }
)
_CONDA_ONLY_PREFIXES = ("-", "gcc-", "gxx-", "gfortran-", "lib", "m2w64-", "mkl-", "r-")
_LIB_ON_PYPI = frozenset({"libclang", "libcst", "librosa", "libsass", "libtmux"})
_CUDA = re.compile(r"cuda(-.*|toolkit.*|nn)?|cudnn|nccl|pytorch-cuda")

_DEPENDENCY = re.compile(
    r"(?:[^:\s\[]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<brackets>\[.*\])?\s*(?P<version>.*)"
)
_VERSION_IN_BRACKETS = re.compile(r"version\s*=\s*['\"]?([^'\"\],]+(?:,[^'\"\]=]+)*)['\"]?")
_CLAUSE = re.compile(r"(?P<operator>==|>=|<=|!=|~=|=|>|<)?\s*(?P<version>[^=<>!~\s]+)")


class UnreadableDependency(Exception):
    """A line among the conda dependencies that names no package."""


@dataclass(frozen=True)
class CondaPackage:
    """A conda dependency: its name, and its version in the words of PEP 440."""

    name: str
    versions: SpecifierSet


def read(dependency: str) -> CondaPackage:
    """A conda dependency such as `numpy=1.23`, `numpy==1.23.5=py310_0` or `numpy>=1.2,<2`.

    A single `=` is conda's prefix match: `=1.23` is `==1.23.*`. Builds and channels are dropped;
    a choice of versions (`1.2|1.3`) leaves the version open. Raises UnreadableDependency.
    """
    match = _DEPENDENCY.fullmatch(dependency.strip())
    if match is None:
        raise UnreadableDependency(f"'{dependency}' among the conda dependencies is no package.")
    version = match["version"]
    if match["brackets"]:
        inside = _VERSION_IN_BRACKETS.search(match["brackets"])
        version = inside[1] if inside else version
    # The name in one spelling for the tables: conda writes `_` where the index writes `-`.
    name = re.sub(r"[_.-]+", "-", match["name"]).lower()
    try:
        return CondaPackage(name, _versions(version))
    except InvalidSpecifier as error:
        raise UnreadableDependency(
            f"'{dependency}' among the conda dependencies has a version that cannot be read."
        ) from error


def requirement(package: CondaPackage) -> tuple[str | None, str | None]:
    """`package` as a requirement of the package index, and what there is to say about it.

    The requirement is None for what only conda has; the remark is None when nothing is special.
    """
    if _CUDA.fullmatch(package.name):
        return None, f"'{package.name}' is left out: there is no CUDA here, jobs run on CPUs."
    only_conda = package.name in _CONDA_ONLY or package.name.startswith(_CONDA_ONLY_PREFIXES)
    if only_conda and package.name not in _LIB_ON_PYPI:
        return None, f"'{package.name}' is left out: only conda has it, wheels do not need it."
    name = _PYPI_NAMES.get(package.name) or package.name
    remark = None
    if name != package.name:
        remark = f"'{package.name}' of conda is '{name}' of the Python package index."
    return f"{name}{package.versions}", remark


def _versions(text: str) -> SpecifierSet:
    text = text.strip()
    if "|" in text:
        return SpecifierSet()
    # `=1.2=py310_0` and `1.2 py310_0`: the second part is a build.
    text = re.sub(r"^(={1,2}[^=,]+)=[^,]*$", r"\1", text)
    text = re.sub(r"^([\w.*]+)\s+\S+$", r"\1", text)
    clauses = []
    for part in text.split(","):
        if part.strip(" =") in ("", "*"):
            continue
        match = _CLAUSE.fullmatch(part.strip())
        if match is None:
            raise InvalidSpecifier(part)
        clauses.append(_clause(match["operator"] or "==", match["version"]))
    return SpecifierSet(",".join(clauses))


def _clause(operator: str, version: str) -> str:
    stem = version.rstrip("*").rstrip(".") if version.endswith("*") else version
    if operator == "=":
        try:
            return str(SpecifierSet(f"=={stem}.*"))
        except InvalidSpecifier:
            # A pre-release has no prefix to match.
            return f"=={stem}"
    if operator in ("==", "!="):
        return f"{operator}{stem}.*" if version.endswith("*") else f"{operator}{version}"
    return f"{operator}{stem}"
