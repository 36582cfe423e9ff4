"""Wheels made by the tests, so that installing them needs no network."""

import base64
import hashlib
import io
import tarfile
import zipfile

# A wheel that no Python of today installs.
PYTHON_36 = "cp36-cp36m-win32"


def make_wheel(folder, name, version, *, tag="py3-none-any", requires=()):
    """A wheel with one module that knows its version; returns the folder."""
    folder.mkdir(exist_ok=True)
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        f"Tag: {tag}\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return folder


def make_source(folder, name, version, *, builds):
    """A source distribution whose build copies a wheel that it contains, or fails."""
    inside = folder / "inside"
    folder.mkdir(exist_ok=True)
    make_wheel(inside, name, version)
    wheel = f"{name}-{version}-py3-none-any.whl"
    backend = (
        "import shutil\n"
        "def build_wheel(folder, *_rest, **_more):\n"
        f"    {'pass' if builds else 'raise SystemExit(1)'}\n"
        f"    shutil.copy({wheel!r}, folder)\n"
        f"    return {wheel!r}\n"
    )
    project = (
        f'[project]\nname = "{name}"\nversion = "{version}"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    info = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        "backend.py": backend.encode(),
        "pyproject.toml": project.encode(),
        "PKG-INFO": info.encode(),
        wheel: (inside / wheel).read_bytes(),
    }
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return folder
