"""Environments: the Python packages a job gets.

What you will do: describe environments in three ways (from a conda file, from a list of packages,
from one that Azure ML maintains), register the one that all later jobs use, and read it back.

The ideas
- An environment is a definition: Python, its packages, and on Azure the Docker image around them.
  A job gets exactly that, wherever it runs, today and in a year.
- It is built when the first job needs it, kept, and shared by every job with the same definition.
- Registering gives it a name and a version. The same content keeps its version, so registering
  again is harmless; a change gets the next number, and old jobs can still be repeated with theirs.
- Curated environments are made by Azure ML and often built already. They cannot be changed, but
  cloned.

Needs: nothing
Cost and time on Azure: registering is free and takes seconds. The first job in a new environment
waits about 5 minutes for its build; a build gone wrong has taken more than 45.
In SDK v2: entities.Environment(image=..., conda_file=...).
"""

# %% Sign in
from importlib.util import find_spec

if not (find_spec("azureml") and find_spec("dotenv")):
    raise SystemExit("This Python lacks the SDK: type `python run.py 03`, which brings its own.")

from dotenv import load_dotenv

load_dotenv(override=True)

import pandas as pd
from azureml.core import Environment, Workspace
from azureml.core.conda_dependencies import CondaDependencies

ws = Workspace.from_config()

# %% Curated environments: those that Azure ML maintains
environments = Environment.list(workspace=ws)  # dict: name to the newest version
rows = [
    {"environment": name, "version": environment.version}
    for name, environment in environments.items()
    if name.startswith("AzureML-")  # names that only they can have
]
print("Curated environments:\n" + pd.DataFrame(rows).to_string(index=False))

# %% From a conda file: best for work in a team, because the file lies in version control
env = Environment.from_conda_specification(
    name="ml-sdk-env",  # letters, digits, _ - and .
    file_path="experiments/03_conda.yml",  # channels and packages, pip's under `pip:`
)
packages = list(env.python.conda_dependencies.pip_packages)
print(f"\nFrom the conda file: {len(packages)} pip packages")

# %% From a list of packages: quick, for a try
# Environment.from_pip_requirements(name, file_path) does the same with a requirements.txt.
quick = Environment(name="ml-sdk-quick-env")
quick.python.conda_dependencies = CondaDependencies.create(
    python_version="3.10",  # always say which one (default: a version of the SDK's own choice)
    conda_packages=["pip"],  # packages from conda (default: none)
    # From PyPI. The default is azureml-defaults, by which a job speaks with its workspace; a list
    # of your own drops it, so name it, too.
    pip_packages=["azureml-defaults", "scikit-learn==1.5.2", "pandas==1.5.3"],
)
# It need not be registered: a job can carry the definition with it.
print("From a list:        ", ", ".join(quick.python.conda_dependencies.pip_packages))

# A third kind takes the packages that are there, for jobs on a machine that you look after:
own = Environment(name="my-own-python")
own.python.user_managed_dependencies = True  # build nothing (default False)
own.python.interpreter_path = "python"  # program to start; a path or a name (default "python")

# %% Curated: get, clone, change
curated = Environment.get(
    workspace=ws,
    name="AzureML-sklearn-1.5",
    version=None,  # which version; label= is the other way (default: the newest)
)
sklearn_env = curated.clone(new_name="ml-sdk-sklearn-env")  # names AzureML-... are reserved
sklearn_env.python.conda_dependencies.add_pip_package("fairlearn==0.9.0")
print(f"Cloned {curated.name} version {curated.version} as {sklearn_env.name}, plus fairlearn")

# %% Register the one that all jobs use
registered = env.register(workspace=ws)
again = env.register(workspace=ws)
print(f"\nRegistered {registered.name} version {registered.version}")
print(f"Registered it again, unchanged: version {again.version}")

# %% Read it back, as every later lesson does
found = Environment.get(workspace=ws, name="ml-sdk-env")
print(f"\nDefinition of {found.name} version {found.version}")
print(f"  Docker image:  {found.docker.base_image}")
print(f"  Python:        {found.python.conda_dependencies.get_python_version()}")
print("  Packages:")
for package in found.python.conda_dependencies.pip_packages:
    print(f"    {package}")

# The whole definition as files, to look at or to keep: conda_dependencies.yml and
# azureml_environment.json.
found.save_to_directory(
    path="outputs/03_environment",  # folder, made if it is missing
    overwrite=True,  # replace what is there (default False)
)
print("Saved to outputs/03_environment/")

# %% What next
# To build ahead of the first job: found.build(workspace=ws).wait_for_completion(). A registered
# environment cannot be deleted with SDK v1; it costs nothing.
print("\nNext: 04_experiment.py runs a script in this environment.")
