"""Environment variables by what they do: whoever passes an environment on reads these lists.

Set-up reads them before `.venv` exists, with any Python from 3.8 on: standard library only.
"""

from __future__ import annotations

import re
from typing import Mapping

# They make one Python load another's modules.
OF_ANOTHER_PYTHON = frozenset({"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"})

# They lead an SDK to a workspace, or MLflow to a run.
LEADING_AN_SDK = frozenset(
    {
        "ARM_CLOUD_METADATA_URL",
        "AZUREML_CURRENT_CLOUD",
        "AZURE_CONFIG_DIR",
        "MSI_ENDPOINT",
        "MSI_SECRET",
        "APPSETTING_WEBSITE_SITE_NAME",
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_RUN_ID",
        "MLFLOW_EXPERIMENT_ID",
        "MLFLOW_EXPERIMENT_NAME",
    }
)

# They sign the user in. A job signs in as its run instead.
SIGNING_A_USER_IN = frozenset(
    {
        "MSI_ENDPOINT",
        "MSI_SECRET",
        "APPSETTING_WEBSITE_SITE_NAME",
        "AZURE_STORAGE_ACCOUNT",
        "AZURE_STORAGE_KEY",
    }
)

# They name the certificate authorities that a program trusts.
TRUSTED_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")

NO_PROXY = ("no_proxy", "NO_PROXY")

# No library tells its makers how it is used.
WITHOUT_TELEMETRY = {
    "HBI_WORKSPACE_JOB": "true",
    "AZURE_CORE_COLLECT_TELEMETRY": "false",
    "RSLEX_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}

# What a Jupyter kernel sets for the code that it runs: only a kernel can show such pictures, and in
# a log colours are unreadable.
OF_A_KERNEL = {
    "TERM": "xterm-color",
    "CLICOLOR": "1",
    "CLICOLOR_FORCE": "1",
    "FORCE_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "PYDEVD_USE_FRAME_EVAL": "NO",
}
# Matplotlib's backends that only a notebook shows.
BACKENDS_OF_NOTEBOOKS = (
    "module://matplotlib_inline",
    "module://ipykernel",
    "module://ipympl",
    "inline",
    "ipympl",
    "nbagg",
    "notebook",
    "widget",
)

# What a node has of this machine: where programs and libraries are, the language, the way out. Not
# what the user who started the server has in the shell: on Azure a job does not see that either.
OF_THE_MACHINE = frozenset(
    {
        "PATH",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "USER",
        "LOGNAME",
        "SHELL",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
        "CUDA_HOME",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "SSL_CERT_DIR",
        *NO_PROXY,
        *TRUSTED_AUTHORITIES,
    }
)

# What Python, its libraries and the SDK read when they start or are imported: jobs that differ in
# one of these do not share a process. Everything else a job's process is given after the fork.
READ_AT_IMPORT = re.compile(
    r"PYTHON|LD_|DYLD_|OMP_|KMP_|MKL_|OPENBLAS_|GOTO_|BLIS_|NUMEXPR_|NUMBA_|NPY_|CUDA_|MALLOC_"
    r"|JEMALLOC_|ARROW_|MPL|SKLEARN_|SCIPY_|JOBLIB_|LC_|LANG|TZ$|HOME$|TMPDIR$"
    r"|ARM_|AZURE_|AZUREML_(?!RUN|ROOT|ARM|EXPERIMENT|DATA|NODE|PROCESS|SCRIPT|WORKSPACE)"
    r"|HBI_|RSLEX_|REQUESTS_|CURL_|SSL_|DO_NOT_TRACK|MLFLOW_(?!TRACKING|RUN_ID|EXPERIMENT)"
    r"|(https?|all|no)_proxy$|(HTTPS?|ALL|NO)_PROXY$"
)

# pip's name, uv's name for the same and what separates several values there.
_PIP_AND_UV = (
    ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", " "),
    ("PIP_EXTRA_INDEX_URL", "UV_INDEX", " "),
    ("PIP_FIND_LINKS", "UV_FIND_LINKS", ","),
    ("PIP_NO_INDEX", "UV_NO_INDEX", " "),
    ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST", " "),
    ("PIP_CERT", "SSL_CERT_FILE", " "),
)


def said_to_uv(variables: Mapping[str, str]) -> dict[str, str]:
    """What `variables` set for pip and not for uv, in uv's words: it reads none of pip's."""
    said = {}
    for pip_name, uv_name, separator in _PIP_AND_UV:
        if variables.get(pip_name) and uv_name not in variables:
            said[uv_name] = separator.join(variables[pip_name].split())
    if "UV_INDEX_URL" in variables:
        # The older name of the default index, which the newer one would overrule.
        said.pop("UV_DEFAULT_INDEX", None)
    return said
