"""The environment variables that lead a program to a local workspace, and how to be rid of them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from local_workspace.identity.certificates import Certificates
from local_workspace.paths import Paths
from local_workspace.settings import CLOUD_NAME, Settings
from local_workspace.variables import (
    BACKENDS_OF_NOTEBOOKS,
    LEADING_AN_SDK,
    NO_PROXY,
    OF_A_KERNEL,
    TRUSTED_AUTHORITIES,
    WITHOUT_TELEMETRY,
)

_LOOPBACK = ("localhost", "127.0.0.1")


def client_environment(
    paths: Paths, settings: Settings, base: Mapping[str, str], *, all_roots: bool = False
) -> dict[str, str]:
    """What a program needs in its environment so that its SDK works on this workspace.

    `base` is the environment to start from: exceptions from a proxy are added to those it has.
    With `all_roots` the program also trusts the usual certificate authorities, at some 20 ms for
    every connection the SDK opens.
    """
    origin = f"https://localhost:{settings.port}"
    certificates = Certificates(paths.certificates)
    roots = str(certificates.bundle if all_roots else certificates.authority)
    return {
        "ARM_CLOUD_METADATA_URL": f"{origin}/metadata/endpoints",
        "AZUREML_CURRENT_CLOUD": CLOUD_NAME,
        "MSI_ENDPOINT": f"http://127.0.0.1:{settings.token_port}/msi/token",
        "MSI_SECRET": settings.msi_secret,
        # Only where it believes to be in App Service does the SDK send the secret.
        "APPSETTING_WEBSITE_SITE_NAME": settings.workspace_name,
        **dict.fromkeys(TRUSTED_AUTHORITIES, roots),
        # The SDK keeps the first metadata it ever sees in this folder and ignores the URL from
        # then on: a folder for each port keeps a workspace that moved reachable.
        "AZURE_CONFIG_DIR": str(paths.sdk / f"azure-{settings.port}"),
        **{name: _without_proxy(base.get(name, "")) for name in NO_PROXY},
        "AZURE_STORAGE_ACCOUNT": settings.storage_account,
        "AZURE_STORAGE_KEY": settings.storage_key,
        **WITHOUT_TELEMETRY,
        # Its progress bars would drown what a program says.
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }


def _without_proxy(present: str) -> str:
    names = [name.strip() for name in present.split(",") if name.strip()]
    return ",".join([*names, *(name for name in _LOOPBACK if name not in names)])


def env_lines(variables: Mapping[str, str]) -> str:
    """`variables` as lines that python-dotenv and a shell read alike.

    Raises ValueError for a value that no notation of the two has in common.
    """
    return "".join(f"{name}={_quoted(name, value)}\n" for name, value in variables.items())


def _quoted(name: str, value: str) -> str:
    # Between single quotes a shell takes all as it is, while python-dotenv knows escapes; between
    # double quotes both know `\\"` and `\\\\`, and a shell replaces `$` and backticks.
    if not set(value) & set("'\\\n\r"):
        return shlex.quote(value)
    if not set(value) & set("$`!\n\r"):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    raise ValueError(
        f"{name} cannot be written to a .env file, because a path in it has both a quote or "
        f"backslash and one of $, ` or !: {value}. Choose another folder with --root."
    )


def server_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what redirects an SDK, and without what only a Jupyter kernel has.

    The server must not inherit the first: importing MLflow loads the Azure ML plug-in, which
    fetches the cloud metadata at once, and the server would wait for its own answer. Nor may what
    is started from a notebook inherit the second: drawing would need the kernel.
    """
    kept = {
        name: value
        for name, value in _outside_of_kernels(environment).items()
        if name not in LEADING_AN_SDK and not name.startswith("AZUREML_RUN")
    }
    for name in TRUSTED_AUTHORITIES:
        value = kept.get(name, "")
        # A local workspace's own authority would make every other address untrusted.
        if os.path.basename(os.path.dirname(value)) == "certificates":
            del kept[name]
    return kept


def _outside_of_kernels(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` as it would be if the program did not run in a Jupyter kernel."""
    shows = environment.get("MPLBACKEND", "").lower().startswith(BACKENDS_OF_NOTEBOOKS)
    # Not every program that starts kernels tells them its process id.
    if not shows and "JPY_PARENT_PID" not in environment:
        return dict(environment)
    return {
        name: value
        for name, value in environment.items()
        if value != OF_A_KERNEL.get(name)
        and not name.startswith("JPY_")
        and not (name == "MPLBACKEND" and shows)
    }
