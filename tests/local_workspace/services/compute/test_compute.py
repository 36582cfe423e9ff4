"""Compute targets through the SDK."""

import pytest
from azureml.core.compute import AksCompute, AmlCompute, ComputeInstance, ComputeTarget
from azureml.core.compute_target import ComputeTargetException

from local_workspace.services.compute import Node, get_compute, set_nodes


@pytest.fixture
def make(ws):
    """Create clusters that are gone after the test."""
    made = []

    def create(name, **options):
        options = {"vm_size": "STANDARD_DS11_V2", "max_nodes": 2, **options}
        configuration = AmlCompute.provisioning_configuration(**options)
        made.append(ComputeTarget.create(ws, name, configuration))
        return made[-1]

    yield create
    for name in {cluster.name for cluster in made} & set(ws.compute_targets):
        ws.compute_targets[name].delete()


@pytest.fixture
def send(caller):
    """Requests that the SDK would not send."""
    send = caller("{scope}")

    def send_it(method, path, **options):
        return send(method, path, params={"api-version": "2021-04-01"}, **options)

    return send_it


def cluster_body(**settings):
    scale = {"minNodeCount": 0, "maxNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "PT600S"}
    settings = {"vmSize": "STANDARD_D2_V2", "scaleSettings": scale, **settings}
    return {"properties": {"computeType": "AmlCompute", "properties": settings}}


def test_create_wait_get_list(ws, make, capsys):
    cluster = make(
        "ml-sdk-cc",
        vm_size="standard_ds11_v2",
        min_nodes=1,
        max_nodes=3,
        idle_seconds_before_scaledown=1200,
        tags={"lesson": "02"},
        description="for lessons",
    )
    cluster.wait_for_completion(show_output=True)
    shown = capsys.readouterr().out
    assert 'Provisioning operation finished, operation "Succeeded"' in shown
    assert "Minimum number of nodes requested have been provisioned" in shown

    found = ComputeTarget(ws, "ML-sdk-CC")
    assert isinstance(found, AmlCompute) and found.name == "ml-sdk-cc"
    assert found.id == f"{ws.get_details()['id']}/computes/ml-sdk-cc"
    assert (found.vm_size, found.vm_priority) == ("STANDARD_DS11_V2", "Dedicated")
    assert found.tags == {"lesson": "02"} and found.description == "for lessons"
    assert found.provisioning_state == "Succeeded" and not found.provisioning_errors
    assert found.created_on.tzinfo is not None

    status = found.get_status()
    assert status.allocation_state == "Steady" and status.errors is None
    assert status.current_node_count == status.target_node_count == 1
    assert status.node_state_counts.idle_node_count == 1
    assert status.node_state_counts.running_node_count == 0
    assert status.scale_settings.maximum_node_count == 3
    assert status.scale_settings.idle_seconds_before_scaledown == 1200
    assert status.serialize()["nodeStateCounts"]["idleNodeCount"] == 1
    assert found.serialize()["properties"]["properties"]["vmSize"] == "STANDARD_DS11_V2"

    (node,) = found.list_nodes()
    assert node["nodeState"] == "idle" and node["runId"] is None and node["nodeId"]
    assert ws.compute_targets["ml-sdk-cc"].type == "AmlCompute"


def test_defaults_of_a_configuration(make):
    cluster = make("defaults", vm_size="")
    assert cluster.vm_size == "STANDARD_NC6"
    assert cluster.scale_settings.minimum_node_count == 0
    assert cluster.scale_settings.idle_seconds_before_scaledown == 1800
    assert cluster.list_nodes() == []


def test_update(make):
    cluster = make("update-me", max_nodes=2)
    cluster.update(min_nodes=2, max_nodes=4, idle_seconds_before_scaledown=300)
    cluster.wait_for_completion()
    assert (cluster.scale_settings.minimum_node_count, cluster.status.current_node_count) == (2, 2)
    assert cluster.scale_settings.maximum_node_count == 4
    assert cluster.scale_settings.idle_seconds_before_scaledown == 300
    before = {node["nodeId"] for node in cluster.list_nodes()}

    cluster.update(min_nodes=0, max_nodes=1)
    cluster.refresh_state()
    assert cluster.scale_settings.idle_seconds_before_scaledown == 300
    (left,) = cluster.list_nodes()
    assert left["nodeId"] in before


def test_create_again_changes_the_scale_only(make):
    make("again", max_nodes=1)
    assert make("again", max_nodes=5).scale_settings.maximum_node_count == 5
    with pytest.raises(ComputeTargetException, match="exists already, with VM size"):
        make("again", vm_size="STANDARD_D2_V2")
    with pytest.raises(ComputeTargetException, match="exists already"):
        make("again", vm_priority="lowpriority")


def test_delete(ws, make):
    cluster = make("short-lived")
    cluster.delete()
    cluster.wait_for_completion(is_delete_operation=True)
    with pytest.raises(ComputeTargetException, match="ComputeTargetNotFound"):
        ComputeTarget(ws, "short-lived")
    assert "short-lived" not in ws.compute_targets


def test_nodes_are_listed_with_the_kind_of_their_compute(make, send):
    make("listed-nodes")
    answer = send("POST", "/computes/listed-nodes/listNodes").json()
    assert answer == {"computeType": "AmlCompute", "nodes": []}


def test_deleting_what_is_not_there_is_no_mistake(make, send):
    cluster = make("gone-already")
    cluster.delete()
    cluster.delete()
    cluster.wait_for_completion(is_delete_operation=True)
    answer = send("DELETE", "/computes/never-was")
    assert answer.status_code == 204 and answer.content == b""


@pytest.mark.parametrize("name", ["a", "1st", "ends-", "under_score", "x" * 17, "spa ce"])
def test_bad_names(make, name):
    with pytest.raises(ComputeTargetException, match="between 2 and 16 characters"):
        make(name)


@pytest.mark.parametrize("name", ["cc", "A1", "x" * 16, "a-1-b"])
def test_good_names(make, name):
    assert make(name).name == name


def test_bad_size_priority_and_scale(make, send):
    with pytest.raises(ComputeTargetException, match=r"STANDARD_HUGE.* is not supported"):
        make("bad", vm_size="STANDARD_HUGE")
    with pytest.raises(ComputeTargetException, match=r"priority .*spot.* is not supported"):
        make("bad", vm_priority="spot")

    def refusal(**scale):
        answer = send("PUT", "/computes/bad", json=cluster_body(scaleSettings=scale))
        assert answer.status_code == 400
        return answer.json()["error"]["message"]

    assert "(1) must be greater than or equal" in refusal(minNodeCount=2, maxNodeCount=1)
    assert "'scaleSettings.maxNodeCount'" in refusal(minNodeCount=0)
    assert "it is -1" in refusal(minNodeCount=-1, maxNodeCount=1)
    assert "it is '3'" in refusal(minNodeCount=0, maxNodeCount="3")
    assert "ISO 8601" in refusal(maxNodeCount=1, nodeIdleTimeBeforeScaleDown="10 minutes")
    assert send("GET", "/computes/bad").status_code == 404


@pytest.mark.parametrize("body", [None, [], "x", {"properties": 1}, {"properties": {}}])
def test_bodies_that_make_no_sense(send, body):
    assert send("PUT", "/computes/bad", json=body).status_code == 400
    assert send("PUT", "/computes/local", json=cluster_body()).status_code == 400


def test_other_kinds_say_that_they_are_not_here(ws):
    with pytest.raises(ComputeTargetException, match="does not provide AKS clusters"):
        ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    configuration = ComputeInstance.provisioning_configuration(vm_size="STANDARD_D2_V2")
    with pytest.raises(ComputeTargetException, match="does not provide compute instances"):
        ComputeTarget.create(ws, "instance", configuration)
    assert not {"aks", "instance"} & set(ws.compute_targets)


def test_a_password_is_never_given_back(make, send):
    cluster = make("ssh", admin_username="me", admin_user_password="Secret123!")
    assert cluster.admin_username == "me" and cluster.admin_user_password is None
    assert "Secret123" not in send("GET", "/computes/ssh").text


def test_identity(make):
    cluster = make("identity", identity_type="SystemAssigned")
    assert cluster.identity_type == "SystemAssigned"
    cluster.remove_identity()
    assert cluster.identity_type == "None"
    cluster.add_identity("UserAssigned", ["/id/one", "/id/two"])
    assert set(cluster.identity_id) == {"/id/one", "/id/two"}
    cluster.remove_identity(["/id/one"])
    assert set(cluster.identity_id) == {"/id/two"}


def test_supported_sizes(ws):
    sizes = {size["name"].upper(): size for size in AmlCompute.supported_vmsizes(ws)}
    assert sizes["STANDARD_DS2_V2"]["vCPUs"] == 2 and sizes["STANDARD_DS2_V2"]["memoryGB"] == 7
    assert sizes["STANDARD_DS12_V2"]["memoryGB"] == 28
    assert (sizes["STANDARD_NC6"]["gpus"], sizes["STANDARD_NC6"]["vCPUs"]) == (1, 6)
    assert sizes["STANDARD_DS1_V2"]["memoryGB"] == 3.5
    assert sizes["STANDARD_D2_V2"]["maxResourceVolumeMB"] == 102400
    assert {"STANDARD_DS3_V2", "STANDARD_DS11_V2", "STANDARD_F4S_V2", "STANDARD_E4S_V3"} < set(
        sizes
    )
    elsewhere = AmlCompute.supported_vmsizes(ws, location="westeurope")
    assert len(elsewhere) == len(sizes)


def test_usages_follow_the_nodes(ws, make):
    def used(name, **options):
        usages = AmlCompute.list_usages(ws, **options)
        return {usage["name"]["value"]: usage["currentValue"] for usage in usages}[name]

    total = "Total Cluster Dedicated Regional vCPUs"
    before, family_before = used(total), used("standardDSv2Family")
    cluster = make("counted", vm_size="STANDARD_DS3_V2", min_nodes=2)
    assert used("standardDSv2Family") == family_before + 8
    assert used(total) == before + 8
    assert used("counted", show_all=True) == 8
    cluster.update(min_nodes=0, max_nodes=0)
    assert used(total) == before
    with pytest.raises(ComputeTargetException, match=r"no location .*mars"):
        AmlCompute.list_usages(ws, location="mars")


def test_a_quota_limits_its_family(ws, make, capsys):
    def limit():
        quotas = AmlCompute.list_quotas(ws)
        return {quota["name"]["value"]: quota["limit"] for quota in quotas}["standardFSv2Family"]

    assert limit() == -1
    cluster = make("quota", vm_size="STANDARD_F4S_V2", min_nodes=1, max_nodes=2)
    AmlCompute.update_quotas(ws, "standardFSv2Family", 12)
    assert "Updated quota" in capsys.readouterr().out and limit() == 12
    cluster.update(max_nodes=3)
    with pytest.raises(ComputeTargetException, match="ClusterCoreQuotaReached"):
        cluster.update(max_nodes=4)
    with pytest.raises(ComputeTargetException, match="other clusters need 12"):
        make("quota-2", vm_size="STANDARD_F2S_V2", max_nodes=1)

    AmlCompute.update_quotas(ws, "standardFSv2Family", 3)
    assert "InvalidQuotaBelowClusterMinimum" in capsys.readouterr().out
    AmlCompute.update_quotas(ws, "noSuchFamily", 3)
    assert "InvalidVMFamilyName" in capsys.readouterr().out
    AmlCompute.update_quotas(ws, "standardFSv2Family", -1)
    assert limit() == -1


def test_clusters_outlive_a_crash(local_workspace, ws, make):
    make("durable", min_nodes=1, max_nodes=3)
    local_workspace.kill()
    local_workspace.start(local_workspace.settings.port)
    status = ComputeTarget(ws, "durable").get_status()
    assert status.current_node_count == 1 and status.scale_settings.maximum_node_count == 3


def test_nodes_as_the_engine_notes_them(make, opened):
    cluster = make("engine", max_nodes=4)
    database = opened.database
    nodes = [Node("n1", "running", "run_1"), Node("n2", "preparing")]
    with database.write() as session:
        set_nodes(session, "Engine", nodes, target=3)
    status = cluster.get_status()
    assert (status.current_node_count, status.target_node_count) == (2, 3)
    assert status.allocation_state == "Resizing"
    assert status.node_state_counts.running_node_count == 1
    assert status.node_state_counts.preparing_node_count == 1
    assert cluster.list_nodes()[0]["runId"] == "run_1"

    # A busy node is not taken away by new limits.
    cluster.update(max_nodes=1)
    assert {node["nodeId"] for node in cluster.list_nodes()} == {"n1", "n2"}
    with database.write() as session:
        set_nodes(session, "engine", [Node("n1")])
        assert get_compute(session, "engine").allocation_state == "Steady"
        with pytest.raises(ValueError, match="'asleep' is not a state"):
            set_nodes(session, "engine", [Node("n1", "asleep")])
    database.close()
    assert cluster.get_status().node_state_counts.idle_node_count == 1
