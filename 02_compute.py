"""Compute targets: where training and services run.

What you will do: compare the kinds of compute, see which virtual machines there are, and create
(or reuse) the cluster that runs the jobs of all later lessons.

The ideas
- A compute target is a machine, or a set of them, that the workspace knows by name. A script does
  not change when it moves from your laptop to a cluster: only the name of its target does.
- An AmlCompute cluster grows and shrinks by itself. With a minimum of 0 nodes it costs nothing
  while no job runs; a job waits a few minutes for its node, and an idle node goes after a while.
- A service needs a place, too: your own machine for a try, a container instance for a test,
  Kubernetes for production.

Needs: nothing
Cost and time on Azure: an idle cluster with a minimum of 0 nodes is free; a node is paid by the
minute. Creating one takes 3-5 minutes. A forgotten cluster with a minimum above 0 can cost "more
than a hundred dollar month after month".
In SDK v2: entities.AmlCompute and ml_client.compute.begin_create_or_update.
"""

# %% Sign in
from importlib.util import find_spec

if not (find_spec("azureml") and find_spec("dotenv")):
    raise SystemExit("This Python lacks the SDK: type `python run.py 02`, which brings its own.")

from dotenv import load_dotenv

load_dotenv(override=True)

import pandas as pd
from azureml.core import Workspace
from azureml.core.compute import AksCompute, AmlCompute, ComputeTarget
from azureml.core.webservice import AciWebservice, AksWebservice, LocalWebservice
from azureml.exceptions import ComputeTargetException

ws = Workspace.from_config()

# %% The kinds of compute, each with what makes it
# A configuration is only a description: nothing is created and nothing costs until one is passed
# to ComputeTarget.create (clusters) or Model.deploy (services, lesson 07).
local = LocalWebservice.deploy_configuration(
    port=6789,  # port on this machine (default: a free one)
)
aci = AciWebservice.deploy_configuration(
    cpu_cores=1,  # cores, may be a fraction (default 0.1)
    memory_gb=1,  # GB, may be a fraction (default 0.5)
    auth_enabled=True,  # callers need a key (default False)
)
aks_cluster = AksCompute.provisioning_configuration(
    agent_count=3,  # virtual machines (default 3)
    vm_size="Standard_D3_v2",  # their size (default Standard_D3_v2)
)
aks = AksWebservice.deploy_configuration(
    autoscale_enabled=True,  # more replicas under load (default True)
    autoscale_min_replicas=1,  # never fewer (default 1)
    autoscale_max_replicas=3,  # never more (default 10)
)
cluster_config = AmlCompute.provisioning_configuration(
    vm_size="STANDARD_DS11_V2",  # 2 cores, 14 GB (default Standard_NC6: a retired GPU size)
    vm_priority="dedicated",  # "lowpriority" is cheaper, but Azure may take nodes away
    min_nodes=0,  # nodes that are always there, and always paid (default 0)
    max_nodes=2,  # nodes at most; more jobs wait (default 4)
    idle_seconds_before_scaledown=600,  # idle seconds before a node goes (default 1800)
)
kinds = [
    ("this machine", "try and debug a service", local),
    ("ACI", "test a service, small and CPU only", aci),
    ("AKS cluster", "the machines below production services", aks_cluster),
    ("AKS service", "production: scales, answers fast", aks),
    ("AmlCompute cluster", "training, pipelines, batch scoring", cluster_config),
]
rows = [
    {"compute": kind, "good for": purpose, "made from": type(config).__name__}
    for kind, purpose, config in kinds
]
# IoT Edge has no configuration of its own: Model.package makes an image, and IoT Hub puts it on
# devices. Jobs run on this machine with compute_target="local" (lesson 04).
rows.append({"compute": "IoT Edge", "good for": "models on devices", "made from": "Model.package"})
print("Kinds of compute:\n" + pd.DataFrame(rows).to_string(index=False))

# %% The virtual machines a cluster can be made of
sizes = pd.DataFrame(
    AmlCompute.supported_vmsizes(
        workspace=ws,
        location=ws.location,  # region (default: the workspace's); not every size is everywhere
    )
)
sizes = sizes.rename(columns={"vCPUs": "cores", "memoryGB": "memory GB", "gpus": "GPUs"})
few = ["STANDARD_DS2_V2", "STANDARD_DS3_V2", "STANDARD_DS11_V2", "STANDARD_D8S_V3"]
few += ["STANDARD_NC6S_V3", "STANDARD_NC24S_V3"]
shown = sizes[sizes["name"].str.upper().isin(few)].sort_values(["GPUs", "cores", "memory GB"])
columns = ["name", "cores", "memory GB", "GPUs"]
print(f"\n{len(sizes)} sizes in {ws.location}, a few of them:")
print(shown[columns].to_string(index=False))

# %% Create the cluster, or reuse it
try:
    cluster = ComputeTarget(workspace=ws, name="ml-sdk-cc")  # the name of an existing target
    print(f"\nReusing the cluster {cluster.name}")
except ComputeTargetException:  # there is no target of this name
    print("\nCreating the cluster ml-sdk-cc")
    cluster = ComputeTarget.create(
        workspace=ws,
        name="ml-sdk-cc",  # 2-16 letters, digits and dashes; a letter first, no dash last
        provisioning_configuration=cluster_config,
    )
cluster.wait_for_completion(
    show_output=True,  # print progress (default False)
    min_node_count=None,  # nodes to wait for (default: the cluster's minimum, so none here)
    timeout_in_minutes=20,  # minutes until waiting ends; creation goes on (default 25)
)

# %% How it is
status = cluster.get_status().serialize()  # a dict; get_status() alone gives an object
scale = status["scaleSettings"]
print("\nStatus of ml-sdk-cc")
print(f"  Provisioning:  {status['provisioningState']}")
print(f"  Allocation:    {status['allocationState']}")
print(f"  VM size:       {status['vmSize']}, {status['vmPriority']}")
print(f"  Scale:         {scale['minNodeCount']} to {scale['maxNodeCount']} nodes")
print(f"  Idle time:     {scale['nodeIdleTimeBeforeScaleDown']} (ISO 8601: PT600S is 600 seconds)")
print(f"  Nodes now:     {status['currentNodeCount']}, on the way to {status['targetNodeCount']}")

nodes = cluster.list_nodes()  # one dict for each node: id, state, address, run
if nodes:
    columns = ["nodeId", "nodeState", "runId"]
    print("\nNodes:\n" + pd.DataFrame(nodes)[columns].to_string(index=False))
else:
    print("\nNo nodes: the cluster waits for a job, and costs nothing.")

# %% All compute targets of the workspace
targets = [
    {"compute target": name, "type": target.type, "state": target.provisioning_state}
    for name, target in ws.compute_targets.items()
]
print("\nCompute targets:\n" + pd.DataFrame(targets).to_string(index=False))

# %% What next
# To change it: cluster.update(min_nodes=0, max_nodes=4, idle_seconds_before_scaledown=300).
# To delete it, when you are done with all lessons: cluster.delete(). With a minimum of 0 nodes it
# costs nothing to keep.
print("\nNext: 03_envs.py describes the Python packages that jobs on this cluster get.")
