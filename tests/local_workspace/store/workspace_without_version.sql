BEGIN TRANSACTION;
CREATE TABLE assets (
	asset_id VARCHAR(64) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	artifacts JSON NOT NULL, 
	run_id VARCHAR(256), 
	tags JSON NOT NULL, 
	properties JSON NOT NULL, 
	meta JSON, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (asset_id)
);
INSERT INTO "assets" VALUES('27556e51c1bc4f828ba36395df416a24','tree','[{"prefix":"LocalUpload/261126T063016-17c235d4/model.txt"}]',NULL,'{}','{}',NULL,'2026-11-26 06:30:16.841047');
CREATE TABLE compute_operations (
	operation_id VARCHAR(36) NOT NULL, 
	compute_name VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	started DATETIME NOT NULL, 
	ended DATETIME, 
	error JSON, 
	PRIMARY KEY (operation_id)
);
INSERT INTO "compute_operations" VALUES('44325c66-b955-47df-b8b1-adbbb45cb826','cpu','Succeeded','2026-11-26 06:29:58.756651','2026-11-26 06:29:58.756651',NULL);
CREATE TABLE compute_quotas (
	family VARCHAR(64) NOT NULL, 
	vcpus INTEGER NOT NULL, 
	PRIMARY KEY (family)
);
CREATE TABLE computes (
	"key" VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	compute_type VARCHAR(64) NOT NULL, 
	location VARCHAR(64) NOT NULL, 
	description TEXT, 
	tags JSON NOT NULL, 
	identity JSON, 
	created DATETIME NOT NULL, 
	modified DATETIME NOT NULL, 
	properties JSON NOT NULL, 
	min_nodes INTEGER NOT NULL, 
	max_nodes INTEGER NOT NULL, 
	idle_seconds INTEGER NOT NULL, 
	target_nodes INTEGER NOT NULL, 
	nodes JSON NOT NULL, 
	allocation_state VARCHAR(16) NOT NULL, 
	allocation_changed DATETIME NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "computes" VALUES('cpu','cpu','AmlCompute','local',NULL,'{}',NULL,'2026-11-26 06:29:58.755277','2026-11-26 06:29:58.756581','{"vmSize":"STANDARD_DS11_V2","vmPriority":"Dedicated","subnet":null,"enableNodePublicIp":true,"remoteLoginPortPublicAccess":"Disabled"}',0,1,1800,1,'[{"nodeId":"tvmps_4936493e3f455ed3813d8d9522f26031_d","nodeState":"idle","runId":null,"port":null,"privateIpAddress":"127.0.0.1","publicIpAddress":null}]','Steady','2026-11-26 06:30:08.180427');
CREATE TABLE dataset_versions (
	dataset_id VARCHAR(36) NOT NULL, 
	version INTEGER NOT NULL, 
	saved_id VARCHAR(36) NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (dataset_id, version), 
	FOREIGN KEY(dataset_id) REFERENCES datasets (dataset_id) ON DELETE CASCADE, 
	UNIQUE (saved_id), 
	FOREIGN KEY(saved_id) REFERENCES saved_datasets (saved_id)
);
INSERT INTO "dataset_versions" VALUES('88ad69ae-d1bd-4477-830d-664b3e3f3565',1,'6d975cd5-33e6-4369-a5a9-8a6e7265c529','2026-11-26 06:29:58.629423');
CREATE TABLE datasets (
	dataset_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description TEXT, 
	tags JSON NOT NULL, 
	is_visible BOOLEAN NOT NULL, 
	etag VARCHAR(36) NOT NULL, 
	latest_version INTEGER NOT NULL, 
	created DATETIME NOT NULL, 
	modified DATETIME NOT NULL, 
	PRIMARY KEY (dataset_id), 
	UNIQUE (name)
);
INSERT INTO "datasets" VALUES('88ad69ae-d1bd-4477-830d-664b3e3f3565','patients','two patients','{"format":"CSV"}',1,'7098e8f1-64ef-48c0-b501-cbe667c14af8',1,'2026-11-26 06:29:58.623986','2026-11-26 06:29:58.635039');
CREATE TABLE datastores (
	name VARCHAR(255) NOT NULL, 
	store_type VARCHAR(32) NOT NULL, 
	account VARCHAR(64) NOT NULL, 
	container VARCHAR(63) NOT NULL, 
	endpoint VARCHAR(255), 
	credential_type VARCHAR(16) NOT NULL, 
	credential TEXT, 
	subscription_id VARCHAR(64), 
	resource_group VARCHAR(128), 
	blob_cache_timeout INTEGER, 
	tags JSON NOT NULL, 
	built_in BOOLEAN NOT NULL, 
	is_default BOOLEAN NOT NULL, 
	created DATETIME NOT NULL, 
	modified DATETIME NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "datastores" VALUES('workspaceblobstore','AzureBlob','localworkspace','azureml-blobstore-3279c5ff-c1b0-4a14-8448-0b62490d33fb',NULL,'AccountKey',NULL,'10ca1000-0000-4000-8000-000000000001','local',NULL,'{}',1,1,'2026-11-26 06:29:55.455477','2026-11-26 06:29:55.455477');
INSERT INTO "datastores" VALUES('workspaceartifactstore','AzureBlob','localworkspace','azureml',NULL,'AccountKey',NULL,'10ca1000-0000-4000-8000-000000000001','local',NULL,'{}',1,0,'2026-11-26 06:29:55.455477','2026-11-26 06:29:55.455477');
INSERT INTO "datastores" VALUES('workspacefilestore','AzureFile','localworkspace','azureml-filestore-3279c5ff-c1b0-4a14-8448-0b62490d33fb',NULL,'AccountKey',NULL,'10ca1000-0000-4000-8000-000000000001','local',NULL,'{}',1,0,'2026-11-26 06:29:55.455477','2026-11-26 06:29:55.455477');
INSERT INTO "datastores" VALUES('workspaceworkingdirectory','AzureFile','localworkspace','code-3279c5ff-c1b0-4a14',NULL,'AccountKey',NULL,'10ca1000-0000-4000-8000-000000000001','local',NULL,'{}',1,0,'2026-11-26 06:29:55.455477','2026-11-26 06:29:55.455477');
CREATE TABLE environment_builds (
	build_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	version VARCHAR(255) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	started DATETIME NOT NULL, 
	ended DATETIME, 
	PRIMARY KEY (build_id)
);
CREATE TABLE environment_versions (
	name VARCHAR(255) NOT NULL, 
	version VARCHAR(255) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	definition JSON NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (name, version), 
	FOREIGN KEY(name) REFERENCES environments (name)
);
CREATE TABLE environments (
	name VARCHAR(255) NOT NULL, 
	curated BOOLEAN NOT NULL, 
	latest VARCHAR(255) NOT NULL, 
	labels JSON NOT NULL, 
	last_number INTEGER NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE experiments (
	experiment_id VARCHAR(64) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description TEXT, 
	created DATETIME NOT NULL, 
	last_modified DATETIME NOT NULL, 
	archived DATETIME, 
	tags JSON NOT NULL, 
	last_run_number INTEGER NOT NULL, 
	PRIMARY KEY (experiment_id), 
	UNIQUE (name)
);
INSERT INTO "experiments" VALUES('6e0ec877-d6b7-4a4a-a867-c570207ba861','diabetes',NULL,'2026-11-26 06:29:58.922499','2026-11-26 06:29:58.922499',NULL,'{}',3);
CREATE TABLE jobs (
	run_id VARCHAR(256) NOT NULL, 
	experiment_name VARCHAR(255) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	compute VARCHAR(64), 
	snapshot_id VARCHAR(64), 
	configuration JSON NOT NULL, 
	node_count INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	cancel_requested BOOLEAN NOT NULL, 
	submitted DATETIME NOT NULL, 
	started FLOAT, 
	python TEXT, 
	PRIMARY KEY (run_id)
);
INSERT INTO "jobs" VALUES('diabetes_1795674599_ad80c60e','diabetes','cluster','cpu','beb45cf9-dcb0-4b4d-b4e6-25f2d38ece11','{"script":"train.py","arguments":[],"target":"cpu","framework":"Python","communicator":"None","maxRunDurationSeconds":2592000,"nodeCount":1,"priority":null,"environment":{"name":"own","version":null,"environmentVariables":{"EXAMPLE_ENV_VAR":"EXAMPLE_VALUE"},"python":{"userManagedDependencies":true,"interpreterPath":"python","condaDependenciesFile":null,"baseCondaEnvironment":null,"condaDependencies":{"name":"project_environment","dependencies":["python=3.8.13",{"pip":["azureml-defaults"]}],"channels":["anaconda","conda-forge"]}},"docker":{"enabled":false,"baseImage":"mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20251130.v1","baseDockerfile":null,"buildContext":null,"sharedVolumes":true,"shmSize":"2g","arguments":[],"baseImageRegistry":{"address":null,"username":null,"password":null,"registryIdentity":null},"platform":{"os":"Linux","architecture":"amd64"}},"spark":{"repositories":[],"packages":[],"precachePackages":true},"databricks":{"mavenLibraries":[],"pypiLibraries":[],"rcranLibraries":[],"jarLibraries":[],"eggLibraries":[]},"r":null,"inferencingStackVersion":null,"assetId":null},"history":{"outputCollection":true,"snapshotProject":true,"directoriesToWatch":["logs"]},"spark":{"configuration":{"spark.app.name":"Azure ML Experiment","spark.yarn.maxAppAttempts":1}},"docker":{"useDocker":false,"sharedVolumes":true,"arguments":[],"shmSize":"2g"},"hdi":{"yarnDeployMode":"cluster"},"tensorflow":{"workerCount":1,"parameterServerCount":1},"mpi":{"processCountPerNode":1,"nodeCount":1},"pytorch":{"communicationBackend":"nccl","processCount":null,"nodeCount":1},"paralleltask":{"maxRetriesPerWorker":0,"workerCountPerNode":1,"terminalExitCodes":null},"dataReferences":{},"data":{},"datacaches":[],"outputData":{},"sourceDirectoryDataStore":null,"amlcompute":{"vmSize":null,"vmPriority":null,"retainCluster":false,"name":null,"clusterMaxNodeCount":null},"autoClusterComputeSpecification":null,"kubernetescompute":{"instanceType":null},"credentialPassthrough":false,"command":"","environmentVariables":{},"applicationEndpoints":{}}',1,'done',1,0,'2026-11-26 06:29:59.563116',1.79567460819813179973e+09,'/usr/bin/python3.10');
INSERT INTO "jobs" VALUES('diabetes_1795674617_713ddba6','diabetes','cluster','cpu','7bf93a30-7034-43f1-8bfa-ba5654be4195','{"script":"train.py","arguments":[],"target":"cpu","framework":"Python","communicator":"None","maxRunDurationSeconds":2592000,"nodeCount":1,"priority":null,"environment":{"name":"own","version":null,"environmentVariables":{"EXAMPLE_ENV_VAR":"EXAMPLE_VALUE"},"python":{"userManagedDependencies":true,"interpreterPath":"python","condaDependenciesFile":null,"baseCondaEnvironment":null,"condaDependencies":{"name":"project_environment","dependencies":["python=3.8.13",{"pip":["azureml-defaults"]}],"channels":["anaconda","conda-forge"]}},"docker":{"enabled":false,"baseImage":"mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20251130.v1","baseDockerfile":null,"buildContext":null,"sharedVolumes":true,"shmSize":"2g","arguments":[],"baseImageRegistry":{"address":null,"username":null,"password":null,"registryIdentity":null},"platform":{"os":"Linux","architecture":"amd64"}},"spark":{"repositories":[],"packages":[],"precachePackages":true},"databricks":{"mavenLibraries":[],"pypiLibraries":[],"rcranLibraries":[],"jarLibraries":[],"eggLibraries":[]},"r":null,"inferencingStackVersion":null,"assetId":null},"history":{"outputCollection":true,"snapshotProject":true,"directoriesToWatch":["logs"]},"spark":{"configuration":{"spark.app.name":"Azure ML Experiment","spark.yarn.maxAppAttempts":1}},"docker":{"useDocker":false,"sharedVolumes":true,"arguments":[],"shmSize":"2g"},"hdi":{"yarnDeployMode":"cluster"},"tensorflow":{"workerCount":1,"parameterServerCount":1},"mpi":{"processCountPerNode":1,"nodeCount":1},"pytorch":{"communicationBackend":"nccl","processCount":null,"nodeCount":1},"paralleltask":{"maxRetriesPerWorker":0,"workerCountPerNode":1,"terminalExitCodes":null},"dataReferences":{},"data":{},"datacaches":[],"outputData":{},"sourceDirectoryDataStore":null,"amlcompute":{"vmSize":null,"vmPriority":null,"retainCluster":false,"name":null,"clusterMaxNodeCount":null},"autoClusterComputeSpecification":null,"kubernetescompute":{"instanceType":null},"credentialPassthrough":false,"command":"","environmentVariables":{},"applicationEndpoints":{}}',1,'submitted',0,0,'2026-11-26 06:30:17.419196',NULL,NULL);
CREATE TABLE metric_values (
	id INTEGER NOT NULL, 
	run_id VARCHAR(256) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	metric_id VARCHAR(64), 
	step BIGINT, 
	timestamp DATETIME NOT NULL, 
	value FLOAT, 
	special VARCHAR(9), 
	data JSON, 
	PRIMARY KEY (id), 
	UNIQUE (metric_id)
);
INSERT INTO "metric_values" VALUES(1,'diabetes_1795674599_ad80c60e','loss','f88941e4-6df9-46b0-b727-4a9b3d757f86',NULL,'2026-11-26 06:30:12.470406',1.0,NULL,NULL);
INSERT INTO "metric_values" VALUES(2,'diabetes_1795674599_ad80c60e','loss','7fc7cd1a-50b0-41c3-9cc7-d967533bfcab',NULL,'2026-11-26 06:30:12.470834',0.5,NULL,NULL);
INSERT INTO "metric_values" VALUES(3,'diabetes_1795674599_ad80c60e','loss','0f50cfc2-0934-449e-b230-b09200058353',NULL,'2026-11-26 06:30:12.470869',3.33333333333333314829e-01,NULL,NULL);
INSERT INTO "metric_values" VALUES(4,'diabetes_1795674599_ad80c60e','accuracy','685d1ae9-aa15-4aaf-a3db-27c208d05b08',NULL,'2026-11-26 06:30:12.470905',0.9,NULL,NULL);
INSERT INTO "metric_values" VALUES(5,'diabetes_1795674599_ad80c60e','curve','dec0fd5f-fb2b-4576-a430-e7f60d94e62d',NULL,'2026-11-26 06:30:12.470964',NULL,NULL,'{"x":1,"y":2}');
INSERT INTO "metric_values" VALUES(6,'f064e514-06b4-4f63-acf5-77566b0637c7','rows','9ee962a9-b5fa-4f7f-ade3-a7732a497a9e',NULL,'2026-11-26 06:30:16.124287',2.0,NULL,NULL);
CREATE TABLE metrics (
	run_id VARCHAR(256) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	columns JSON NOT NULL, 
	ux_type VARCHAR(64) NOT NULL, 
	latest_value FLOAT, 
	latest_special VARCHAR(9), 
	latest_step BIGINT, 
	latest_timestamp DATETIME, 
	PRIMARY KEY (run_id, name), 
	FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
INSERT INTO "metrics" VALUES('diabetes_1795674599_ad80c60e','loss','{"loss":"double"}','azureml.v1.scalar',3.33333333333333314829e-01,NULL,NULL,'2026-11-26 06:30:12.470869');
INSERT INTO "metrics" VALUES('diabetes_1795674599_ad80c60e','accuracy','{"accuracy":"double"}','azureml.v1.scalar',0.9,NULL,NULL,'2026-11-26 06:30:12.470905');
INSERT INTO "metrics" VALUES('diabetes_1795674599_ad80c60e','curve','{"x":"int","y":"int"}','azureml.v1.table',NULL,NULL,NULL,NULL);
INSERT INTO "metrics" VALUES('f064e514-06b4-4f63-acf5-77566b0637c7','rows','{"rows":"int"}','azureml.v1.scalar',2.0,NULL,NULL,'2026-11-26 06:30:16.124287');
CREATE TABLE model_versions (
	name VARCHAR(255) NOT NULL, 
	version INTEGER NOT NULL, 
	description TEXT, 
	tags JSON NOT NULL, 
	properties JSON NOT NULL, 
	stage VARCHAR(16) NOT NULL, 
	origin VARCHAR(64) NOT NULL, 
	container VARCHAR(300) NOT NULL, 
	path TEXT NOT NULL, 
	asset_id VARCHAR(64) NOT NULL, 
	source TEXT, 
	run_id VARCHAR(256), 
	run_link TEXT, 
	experiment_name VARCHAR(255), 
	mime_type VARCHAR(128) NOT NULL, 
	framework VARCHAR(64), 
	framework_version VARCHAR(64), 
	unpack BOOLEAN NOT NULL, 
	datasets JSON NOT NULL, 
	sample_input TEXT, 
	sample_output TEXT, 
	resources JSON, 
	created_by JSON, 
	created DATETIME NOT NULL, 
	last_modified DATETIME NOT NULL, 
	PRIMARY KEY (name, version), 
	FOREIGN KEY(name) REFERENCES registered_models (name), 
	FOREIGN KEY(asset_id) REFERENCES assets (asset_id)
);
INSERT INTO "model_versions" VALUES('tree',1,NULL,'{"kind":"tree"}','{}','None','LocalUpload','261126T063016-17c235d4','model.txt','27556e51c1bc4f828ba36395df416a24',NULL,NULL,NULL,NULL,'application/json','Custom',NULL,0,'[]',NULL,NULL,NULL,'{"userObjectId":"8dada354-ddd1-4a0c-9525-84549ec3a35f","userPuId":null,"userIdp":null,"userAltSecId":null,"userIss":null,"userTenantId":"10ca1000-0000-4000-8000-000000000002","userName":"Local user","upn":null}','2026-11-26 06:30:16.893604','2026-11-26 06:30:16.893604');
CREATE TABLE registered_models (
	name VARCHAR(255) NOT NULL, 
	description TEXT, 
	tags JSON NOT NULL, 
	aliases JSON NOT NULL, 
	last_version INTEGER NOT NULL, 
	created DATETIME NOT NULL, 
	last_modified DATETIME NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "registered_models" VALUES('tree',NULL,'{}','{}',1,'2026-11-26 06:30:16.888449','2026-11-26 06:30:16.893604');
CREATE TABLE resources (
	resource_id VARCHAR(512) NOT NULL, 
	editable JSON NOT NULL, 
	PRIMARY KEY (resource_id)
);
CREATE TABLE runs (
	run_id VARCHAR(256) NOT NULL, 
	experiment_id VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	parent_run_id VARCHAR(256), 
	root_run_id VARCHAR(256) NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	lifecycle_stage VARCHAR(16) NOT NULL, 
	deleted DATETIME, 
	name TEXT, 
	display_name TEXT, 
	description TEXT, 
	hidden BOOLEAN NOT NULL, 
	run_type VARCHAR(128), 
	orchestrator VARCHAR(128), 
	traits JSON NOT NULL, 
	target VARCHAR(256), 
	script_name TEXT, 
	properties JSON NOT NULL, 
	tags JSON NOT NULL, 
	params JSON NOT NULL, 
	error JSON, 
	warnings JSON NOT NULL, 
	created DATETIME NOT NULL, 
	start_time DATETIME, 
	end_time DATETIME, 
	last_modified DATETIME NOT NULL, 
	created_by JSON, 
	created_from JSON, 
	data_container_id VARCHAR(300) NOT NULL, 
	input_datasets JSON NOT NULL, 
	output_datasets JSON NOT NULL, 
	mlflow_inputs JSON NOT NULL, 
	run_definition JSON, 
	services JSON NOT NULL, 
	options JSON, 
	primary_metric_name TEXT, 
	heartbeat_enabled BOOLEAN, 
	cancel_uri TEXT, 
	diagnostics_uri TEXT, 
	queueing_info JSON, 
	PRIMARY KEY (run_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "runs" VALUES('diabetes_1795674599_ad80c60e','6e0ec877-d6b7-4a4a-a867-c570207ba861',1,NULL,'diabetes_1795674599_ad80c60e','Completed','active',NULL,NULL,'diabetes_1795674599_ad80c60e',NULL,0,'azureml.scriptrun','Execution','{}','cpu','train.py','{"_azureml.ComputeTargetType":"amlctrain","ContentSnapshotId":"beb45cf9-dcb0-4b4d-b4e6-25f2d38ece11"}','{"model":"tree"}','{}',NULL,'[]','2026-11-26 06:29:59.564352','2026-11-26 06:30:08.230160','2026-11-26 06:30:13.718016','2026-11-26 06:30:13.718016','{"userObjectId":"8dada354-ddd1-4a0c-9525-84549ec3a35f","userPuId":null,"userIdp":null,"userAltSecId":null,"userIss":null,"userTenantId":"10ca1000-0000-4000-8000-000000000002","userName":"Local user","upn":null}',NULL,'dcid.diabetes_1795674599_ad80c60e','[]','[]','[]','{"script":"train.py","arguments":[],"target":"cpu","framework":"Python","communicator":"None","maxRunDurationSeconds":2592000,"nodeCount":1,"priority":null,"environment":{"name":"own","version":null,"environmentVariables":{"EXAMPLE_ENV_VAR":"EXAMPLE_VALUE"},"python":{"userManagedDependencies":true,"interpreterPath":"python","condaDependenciesFile":null,"baseCondaEnvironment":null,"condaDependencies":{"name":"project_environment","dependencies":["python=3.8.13",{"pip":["azureml-defaults"]}],"channels":["anaconda","conda-forge"]}},"docker":{"enabled":false,"baseImage":"mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20251130.v1","baseDockerfile":null,"buildContext":null,"sharedVolumes":true,"shmSize":"2g","arguments":[],"baseImageRegistry":{"address":null,"username":null,"password":null,"registryIdentity":null},"platform":{"os":"Linux","architecture":"amd64"}},"spark":{"repositories":[],"packages":[],"precachePackages":true},"databricks":{"mavenLibraries":[],"pypiLibraries":[],"rcranLibraries":[],"jarLibraries":[],"eggLibraries":[]},"r":null,"inferencingStackVersion":null,"assetId":null},"history":{"outputCollection":true,"snapshotProject":true,"directoriesToWatch":["logs"]},"spark":{"configuration":{"spark.app.name":"Azure ML Experiment","spark.yarn.maxAppAttempts":1}},"docker":{"useDocker":false,"sharedVolumes":true,"arguments":[],"shmSize":"2g"},"hdi":{"yarnDeployMode":"cluster"},"tensorflow":{"workerCount":1,"parameterServerCount":1},"mpi":{"processCountPerNode":1,"nodeCount":1},"pytorch":{"communicationBackend":"nccl","processCount":null,"nodeCount":1},"paralleltask":{"maxRetriesPerWorker":0,"workerCountPerNode":1,"terminalExitCodes":null},"dataReferences":{},"data":{},"datacaches":[],"outputData":{},"sourceDirectoryDataStore":null,"amlcompute":{"vmSize":null,"vmPriority":null,"retainCluster":false,"name":null,"clusterMaxNodeCount":null},"autoClusterComputeSpecification":null,"kubernetescompute":{"instanceType":null},"credentialPassthrough":false,"command":"","environmentVariables":{},"applicationEndpoints":{}}','{}',NULL,NULL,NULL,'https://localhost:34211/execution/v1.0/subscriptions/10ca1000-0000-4000-8000-000000000001/resourceGroups/local/providers/Microsoft.MachineLearningServices/workspaces/local-workspace/experiments/diabetes/runId/diabetes_1795674599_ad80c60e/cancel',NULL,NULL);
INSERT INTO "runs" VALUES('f064e514-06b4-4f63-acf5-77566b0637c7','6e0ec877-d6b7-4a4a-a867-c570207ba861',2,NULL,'f064e514-06b4-4f63-acf5-77566b0637c7','Completed','active',NULL,'run_f064e514-06b4-4f63-acf5-77566b0637c7','f064e514-06b4-4f63-acf5-77566b0637c7',NULL,0,NULL,'External','{"unspecified":"true"}','local',NULL,'{}','{}','{}',NULL,'[]','2026-11-26 06:30:16.042115','2026-11-26 06:30:16.076163','2026-11-26 06:30:16.434536','2026-11-26 06:30:16.477410','{"userObjectId":"8dada354-ddd1-4a0c-9525-84549ec3a35f","userPuId":null,"userIdp":null,"userAltSecId":null,"userIss":null,"userTenantId":"10ca1000-0000-4000-8000-000000000002","userName":"Local user","upn":null}',NULL,'dcid.f064e514-06b4-4f63-acf5-77566b0637c7','[]','[]','[]',NULL,'{}',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('diabetes_1795674617_713ddba6','6e0ec877-d6b7-4a4a-a867-c570207ba861',3,NULL,'diabetes_1795674617_713ddba6','Preparing','active',NULL,NULL,'diabetes_1795674617_713ddba6',NULL,0,'azureml.scriptrun','Execution','{}','cpu','train.py','{"_azureml.ComputeTargetType":"amlctrain","ContentSnapshotId":"7bf93a30-7034-43f1-8bfa-ba5654be4195"}','{}','{}',NULL,'[]','2026-11-26 06:30:17.419947',NULL,NULL,'2026-11-26 06:30:17.457380','{"userObjectId":"8dada354-ddd1-4a0c-9525-84549ec3a35f","userPuId":null,"userIdp":null,"userAltSecId":null,"userIss":null,"userTenantId":"10ca1000-0000-4000-8000-000000000002","userName":"Local user","upn":null}',NULL,'dcid.diabetes_1795674617_713ddba6','[]','[]','[]','{"script":"train.py","arguments":[],"target":"cpu","framework":"Python","communicator":"None","maxRunDurationSeconds":2592000,"nodeCount":1,"priority":null,"environment":{"name":"own","version":null,"environmentVariables":{"EXAMPLE_ENV_VAR":"EXAMPLE_VALUE"},"python":{"userManagedDependencies":true,"interpreterPath":"python","condaDependenciesFile":null,"baseCondaEnvironment":null,"condaDependencies":{"name":"project_environment","dependencies":["python=3.8.13",{"pip":["azureml-defaults"]}],"channels":["anaconda","conda-forge"]}},"docker":{"enabled":false,"baseImage":"mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20251130.v1","baseDockerfile":null,"buildContext":null,"sharedVolumes":true,"shmSize":"2g","arguments":[],"baseImageRegistry":{"address":null,"username":null,"password":null,"registryIdentity":null},"platform":{"os":"Linux","architecture":"amd64"}},"spark":{"repositories":[],"packages":[],"precachePackages":true},"databricks":{"mavenLibraries":[],"pypiLibraries":[],"rcranLibraries":[],"jarLibraries":[],"eggLibraries":[]},"r":null,"inferencingStackVersion":null,"assetId":null},"history":{"outputCollection":true,"snapshotProject":true,"directoriesToWatch":["logs"]},"spark":{"configuration":{"spark.app.name":"Azure ML Experiment","spark.yarn.maxAppAttempts":1}},"docker":{"useDocker":false,"sharedVolumes":true,"arguments":[],"shmSize":"2g"},"hdi":{"yarnDeployMode":"cluster"},"tensorflow":{"workerCount":1,"parameterServerCount":1},"mpi":{"processCountPerNode":1,"nodeCount":1},"pytorch":{"communicationBackend":"nccl","processCount":null,"nodeCount":1},"paralleltask":{"maxRetriesPerWorker":0,"workerCountPerNode":1,"terminalExitCodes":null},"dataReferences":{},"data":{},"datacaches":[],"outputData":{},"sourceDirectoryDataStore":null,"amlcompute":{"vmSize":null,"vmPriority":null,"retainCluster":false,"name":null,"clusterMaxNodeCount":null},"autoClusterComputeSpecification":null,"kubernetescompute":{"instanceType":null},"credentialPassthrough":false,"command":"","environmentVariables":{},"applicationEndpoints":{}}','{}',NULL,NULL,NULL,'https://localhost:34211/execution/v1.0/subscriptions/10ca1000-0000-4000-8000-000000000001/resourceGroups/local/providers/Microsoft.MachineLearningServices/workspaces/local-workspace/experiments/diabetes/runId/diabetes_1795674617_713ddba6/cancel',NULL,NULL);
CREATE TABLE saved_datasets (
	saved_id VARCHAR(36) NOT NULL, 
	dataset_type VARCHAR(32) NOT NULL, 
	dataflow TEXT NOT NULL, 
	rs_dataflow TEXT NOT NULL, 
	properties JSON NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (saved_id)
);
INSERT INTO "saved_datasets" VALUES('6d975cd5-33e6-4369-a5a9-8a6e7265c529','tabular','{"blocks": [], "meta": {"RsDataflow": "---\ntype: mltable\npaths:\n  - pattern: \"azureml://subscriptions/10ca1000-0000-4000-8000-000000000001/resourcegroups/local/workspaces/local-workspace/datastores/workspaceblobstore/paths/patients/patients.csv\"\ntransformations:\n  - read_delimited:\n      path_column: Path\n      include_path_column: false\n      encoding: utf8\n      support_multi_line: false\n      delimiter: \",\"\n      empty_as_string: false\n      partition_size: 20971520\n      header: all_files_same_headers\n      infer_column_types: false\n  - convert_column_types:\n      - columns: Age\n        column_type: int\n      - columns: PatientID\n        column_type: int\nmetadata:\n  infer_column_types: \"False\"\n"}}','---
type: mltable
paths:
  - pattern: "azureml://subscriptions/10ca1000-0000-4000-8000-000000000001/resourcegroups/local/workspaces/local-workspace/datastores/workspaceblobstore/paths/patients/patients.csv"
transformations:
  - read_delimited:
      path_column: Path
      include_path_column: false
      encoding: utf8
      support_multi_line: false
      delimiter: ","
      empty_as_string: false
      partition_size: 20971520
      header: all_files_same_headers
      infer_column_types: false
  - convert_column_types:
      - columns: Age
        column_type: int
      - columns: PatientID
        column_type: int
metadata:
  infer_column_types: "False"
','{}','70ecf8dd073a0a6c1ae270ba17ef915a7d260a143ef1ea78c44f51a85d173d99','2026-11-26 06:29:58.626958');
CREATE TABLE snapshots (
	snapshot_id VARCHAR(64) NOT NULL, 
	parent_id VARCHAR(64), 
	created DATETIME NOT NULL, 
	properties JSON NOT NULL, 
	tree JSON NOT NULL, 
	files JSON NOT NULL, 
	PRIMARY KEY (snapshot_id)
);
INSERT INTO "snapshots" VALUES('00000000-0000-0000-0000-000000000000',NULL,'2026-11-26 06:29:55.523449','{}','{}','{}');
INSERT INTO "snapshots" VALUES('beb45cf9-dcb0-4b4d-b4e6-25f2d38ece11','00000000-0000-0000-0000-000000000000','2026-11-26 06:29:59.532695','{}','{"name":"","timestamp":"2026-11-26T06:29:58.854819","children":{"train.py":{"name":"train.py","timestamp":"2026-11-26T06:29:58.858794","children":{},"type":"File","hash":"535599ff5d2b6251571122f5d5053e55609cfce587421a699c90cf8452f891ba6f1e09fd319c03b5c69c6c99031ef808c4054dd37681734130b05925b04578f4"}},"type":"Directory","hash":"5f39ef737305364193a6a8c7ef723248eca04faf00251ccb6fb9a96c52ed59d19fc86061c97b75e605120ec04a8798fabc4fed6bfe2b5124ad90e281557d6a28"}','{"train.py":{"blob":"2ae1fba203264425825d40b6978f0d02/00000-train.py","size":188}}');
INSERT INTO "snapshots" VALUES('7bf93a30-7034-43f1-8bfa-ba5654be4195','beb45cf9-dcb0-4b4d-b4e6-25f2d38ece11','2026-11-26 06:30:17.394974','{}','{"name":"","timestamp":"2026-11-26T06:29:58.854819","children":{"train.py":{"name":"train.py","timestamp":"2026-11-26T06:30:16.903635","children":{},"type":"File","hash":"a245213aaa373bf42dfb0b109d0fda2cc734081b560cd9b596fdb95243d67828a30932b4a0884dfbfd75776b1378b00f98f169bbfc7478a702d6429a1b7fb304"}},"type":"Directory","hash":"5d7ca4448e3577c445d5f4399fec08cd53eac7b08d005df421aeef61270d0d2512c8292565d4c5c7dc7ac5d712d1bb5bd108cefbf3a7fbf8b26192751e486090"}','{"train.py":{"blob":"6f57c16bb93d428e9c383adf066d58f1/00000-train.py","size":62}}');
CREATE INDEX ix_saved_datasets_digest ON saved_datasets (digest);
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX ix_metric_values_by_name ON metric_values (run_id, name, id);
CREATE INDEX ix_environment_versions_by_digest ON environment_versions (name, digest);
CREATE INDEX ix_model_versions_by_creation ON model_versions (created);
CREATE INDEX ix_model_versions_by_run ON model_versions (run_id);
CREATE INDEX ix_runs_by_creation ON runs (experiment_id, created, run_id);
CREATE INDEX ix_runs_experiment_id ON runs (experiment_id);
CREATE INDEX ix_runs_by_status ON runs (status);
CREATE INDEX ix_runs_root_run_id ON runs (root_run_id);
CREATE INDEX ix_runs_by_start_anywhere ON runs (coalesce(start_time, created), run_id);
CREATE INDEX ix_runs_by_parent ON runs (parent_run_id, coalesce(start_time, created), run_id);
CREATE INDEX ix_runs_by_start ON runs (experiment_id, coalesce(start_time, created), run_id);
COMMIT;
