"""MLflow's model registry on the models of this workspace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mlflow.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry import (
    SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT,
    SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT,
)
from mlflow.store.model_registry.abstract_store import AbstractStore
from mlflow.utils.validation import (
    _validate_model_alias_name,
    _validate_model_version,
    _validate_model_version_tag,
    _validate_registered_model_tag,
)
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, NotFound
from local_workspace.services import model_management, run_history
from local_workspace.services.artifact import RUN_ORIGIN, list_artifacts
from local_workspace.services.mlflow.artifact_repository import artifact_place
from local_workspace.services.mlflow.entities import (
    PRINCIPAL,
    artifact_uri,
    milliseconds,
    mlflow_errors,
)
from local_workspace.services.mlflow.filters import ModelSearch, ModelVersionSearch
from local_workspace.store.tables.model_management import ModelRow, ModelVersionRow
from local_workspace.workspace import LocalWorkspace

_MODELS = "models:/"


class RegistryStore(AbstractStore):
    """Every method is that of MLflow's AbstractStore, and documented there."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        super().__init__()
        self._workspace = workspace

    # Registered models

    def create_registered_model(
        self,
        name: str,
        tags: Sequence[RegisteredModelTag] | None = None,
        description: str | None = None,
    ) -> RegisteredModel:
        """Make a model without versions."""
        for tag in tags or []:
            _validate_registered_model_tag(tag.key, tag.value)
        with mlflow_errors(), self._workspace.database.write() as session:
            row = model_management.new_model(
                session, name, description=description, tags=_as_dict(tags)
            )
            return self._model(session, row)

    def update_registered_model(self, name: str, description: str | None) -> RegisteredModel:
        """Change the description of a model."""
        with mlflow_errors(), self._workspace.database.write() as session:
            row = model_management.get_model(session, name)
            row.description, row.last_modified = description, utc_now()
            return self._model(session, row)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a model another name."""
        with mlflow_errors(), self._workspace.database.write() as session:
            return self._model(session, model_management.rename_model(session, name, new_name))

    def delete_registered_model(self, name: str) -> None:
        """Forget a model and all its versions."""
        with mlflow_errors(), self._workspace.database.write() as session:
            model_management.delete_model(session, name)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int | None = SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList:
        """A page of registered models."""
        with mlflow_errors(), self._workspace.database.read() as session:
            rows = {row.name: row for row in model_management.all_models(session)}
            # No filter and no order asks for versions: those of the page are enough.
            models = [self._model(session, row, []) for row in rows.values()]
            found = ModelSearch.sort(ModelSearch.filter(models, filter_string), order_by)
            page, token = ModelSearch.paginate(found, page_token, max_results)
            names = [model.name for model in page]
            latest = model_management.latest_versions(session, names)
            folders: dict[str, str] = {}
            return PagedList(
                [self._model(session, rows[name], latest.get(name, []), folders) for name in names],
                token,
            )

    def get_registered_model(self, name: str) -> RegisteredModel:
        """The model of that name."""
        with mlflow_errors(), self._workspace.database.read() as session:
            return self._model(session, model_management.get_model(session, name))

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None
    ) -> list[ModelVersion]:
        """The latest version in each stage, or in each of `stages`."""
        wanted = {stage.lower() for stage in stages or model_management.STAGES}
        unknown = wanted - {stage.lower() for stage in model_management.STAGES}
        if unknown:
            raise MlflowException.invalid_parameter_value(
                f"{', '.join(sorted(unknown))}: the stages are {model_management.STAGES}."
            )
        versions = self.get_registered_model(name).latest_versions
        return [one for one in versions if one.current_stage.lower() in wanted]

    def set_registered_model_tag(self, name: str, tag: RegisteredModelTag) -> None:
        """Set a tag of a model."""
        _validate_registered_model_tag(tag.key, tag.value)
        with mlflow_errors(), self._workspace.database.write() as session:
            row = model_management.get_model(session, name)
            row.tags = {**row.tags, tag.key: tag.value}

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Delete a tag of a model."""
        with mlflow_errors(), self._workspace.database.write() as session:
            row = model_management.get_model(session, name)
            row.tags = {other: value for other, value in row.tags.items() if other != key}

    # Versions

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Iterable[ModelVersionTag] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
    ) -> ModelVersion:
        """Register files of the workspace as the next version of a model."""
        tags = list(tags or [])
        for tag in tags:
            _validate_model_version_tag(tag.key, tag.value)
        principal = PRINCIPAL.get()
        with mlflow_errors(), self._workspace.database.write() as session:
            place = self._place(session, source)
            # With the slash, "model" is not taken for there because of a folder "model_2".
            if not list_artifacts(self._workspace, place[0], place[1], f"{place[2]}/"):
                raise BadRequest(
                    f"There are no files at '{source}'. Log the model first, and give its path "
                    "within the run."
                )
            experiment = None
            if run_id:
                run = run_history.get_run(session, run_id)
                row = run_history.get_experiment_by_id(session, run.experiment_id)
                experiment = row.name
            model_management.get_model(session, name)
            row = model_management.add_version(
                session,
                name,
                place,
                source=source,
                run_id=run_id or None,
                run_link=run_link or None,
                experiment_name=experiment,
                description=description or None,
                tags=_as_dict(tags),
                # As Azure ML names what MLflow registers.
                framework="Custom",
                created_by=(
                    run_history.user_dto(self._workspace.settings, principal) if principal else None
                ),
            )
            return self._version(session, row)

    def _place(self, session: Session, source: str) -> tuple[str, str, str]:
        if source.startswith(_MODELS):
            name, _, version = source[len(_MODELS) :].strip("/").partition("/")
            row = model_management.get_version(session, name, version)
            return row.origin, row.container, row.path
        origin, container, path = artifact_place(source)
        if not path:
            raise MlflowException.invalid_parameter_value(
                f"'{source}' is all files of a run: name the folder of the model in it."
            )
        return origin, container, path

    def update_model_version(
        self, name: str, version: str, description: str | None
    ) -> ModelVersion:
        """Change the description of a version."""
        with mlflow_errors(), self._workspace.database.write() as session:
            row = self._get(session, name, version)
            row.description, row.last_modified = description, utc_now()
            return self._version(session, row)

    def transition_model_version_stage(
        self, name: str, version: str, stage: str, archive_existing_versions: bool
    ) -> ModelVersion:
        """Bring a version to a stage."""
        with mlflow_errors(), self._workspace.database.write() as session:
            self._get(session, name, version)
            row = model_management.set_stage(
                session, name, version, stage, archive_existing=archive_existing_versions
            )
            return self._version(session, row)

    def delete_model_version(self, name: str, version: str) -> None:
        """Forget a version."""
        with mlflow_errors(), self._workspace.database.write() as session:
            self._get(session, name, version)
            model_management.delete_version(session, name, version)

    def get_model_version(self, name: str, version: str) -> ModelVersion:
        """A version of a model."""
        with mlflow_errors(), self._workspace.database.read() as session:
            return self._version(session, self._get(session, name, version))

    def get_model_version_download_uri(self, name: str, version: str) -> str:
        """Where clients find the files of a version."""
        with mlflow_errors(), self._workspace.database.read() as session:
            return self._address(session, self._get(session, name, version))

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int | None = SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList:
        """A page of versions."""
        with mlflow_errors(), self._workspace.database.read() as session:
            models = {row.name: row for row in model_management.all_models(session)}
            folders: dict[str, str] = {}
            versions = [
                self._version(session, row, models.get(row.name), folders)
                for row in model_management.all_versions(session)
            ]
        found = ModelVersionSearch.filter(versions, filter_string)
        found = ModelVersionSearch.sort(found, order_by or ["last_updated_timestamp DESC"])
        return PagedList(*ModelVersionSearch.paginate(found, page_token, max_results))

    def set_model_version_tag(self, name: str, version: str, tag: ModelVersionTag) -> None:
        """Set a tag of a version."""
        _validate_model_version_tag(tag.key, tag.value)
        with mlflow_errors(), self._workspace.database.write() as session:
            row = self._get(session, name, version)
            row.tags = {**row.tags, tag.key: tag.value}

    def delete_model_version_tag(self, name: str, version: str, key: str) -> None:
        """Delete a tag of a version."""
        with mlflow_errors(), self._workspace.database.write() as session:
            row = self._get(session, name, version)
            row.tags = {other: value for other, value in row.tags.items() if other != key}

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Have an alias mean a version."""
        _validate_model_alias_name(alias)
        with mlflow_errors(), self._workspace.database.write() as session:
            model_management.set_alias(session, name, alias, version)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Forget an alias."""
        with mlflow_errors(), self._workspace.database.write() as session:
            model_management.set_alias(session, name, alias, None)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that an alias means."""
        with mlflow_errors(), self._workspace.database.read() as session:
            aliases = model_management.get_model(session, name).aliases
            if alias not in aliases:
                raise MlflowException.invalid_parameter_value(
                    f"Registered model alias {alias} not found."
                )
            return self._version(session, self._get(session, name, aliases[alias]))

    def copy_model_version(self, src_mv: ModelVersion, dst_name: str) -> ModelVersion:
        """Register the files of a version under another name."""
        with mlflow_errors(), self._workspace.database.write() as session:
            model_management.ensure_model(session, dst_name)
        return self.create_model_version(
            dst_name,
            f"{_MODELS}{src_mv.name}/{src_mv.version}",
            src_mv.run_id,
            [ModelVersionTag(key, value) for key, value in src_mv.tags.items()],
            src_mv.run_link,
            src_mv.description,
        )

    # Entities

    def _get(self, session: Session, name: str, version: str | int) -> ModelVersionRow:
        _validate_model_version(version)
        return model_management.get_version(session, name, version)

    def _address(
        self, session: Session, row: ModelVersionRow, folders: dict[str, str] | None = None
    ) -> str:
        # `folders`: those of artifact containers, which versions in one answer share.
        folders = {} if folders is None else folders
        place = f"{row.origin}/{row.container}"
        if place not in folders:
            folders[place] = self._folder(session, row) or f"azureml://artifacts/{place}"
        return f"{folders[place]}/{row.path}"

    def _folder(self, session: Session, row: ModelVersionRow) -> str | None:
        if row.origin != RUN_ORIGIN or not row.container.startswith("dcid."):
            return None
        run_id = row.container.removeprefix("dcid.")
        try:
            run = run_history.get_run(session, run_id)
        except NotFound:
            # Whoever registers by REST may name any container; it must not spoil the others.
            return None
        experiment = run_history.get_experiment_by_id(session, run.experiment_id)
        return artifact_uri(self._workspace, experiment.name, run_id)

    def _version(
        self,
        session: Session,
        row: ModelVersionRow,
        model: ModelRow | None = None,
        folders: dict[str, str] | None = None,
    ) -> ModelVersion:
        aliases = (model or model_management.get_model(session, row.name)).aliases
        return ModelVersion(
            name=row.name,
            version=str(row.version),
            creation_timestamp=milliseconds(row.created),
            last_updated_timestamp=milliseconds(row.last_modified),
            description=row.description or "",
            user_id=(row.created_by or {}).get("userName"),
            current_stage=row.stage,
            source=row.source or self._address(session, row, folders),
            run_id=row.run_id or "",
            run_link=row.run_link,
            tags=[ModelVersionTag(key, value or "") for key, value in row.tags.items()],
            aliases=[alias for alias, version in aliases.items() if version == row.version],
        )

    def _model(
        self,
        session: Session,
        row: ModelRow,
        latest: list[ModelVersionRow] | None = None,
        folders: dict[str, str] | None = None,
    ) -> RegisteredModel:
        if latest is None:
            latest = model_management.latest_versions(session, [row.name]).get(row.name, [])
        return RegisteredModel(
            name=row.name,
            creation_timestamp=milliseconds(row.created),
            last_updated_timestamp=milliseconds(row.last_modified),
            description=row.description or "",
            latest_versions=[self._version(session, one, row, folders) for one in latest],
            tags=[RegisteredModelTag(key, value or "") for key, value in row.tags.items()],
            aliases=[
                RegisteredModelAlias(alias, str(version)) for alias, version in row.aliases.items()
            ],
        )


def _as_dict(tags: Iterable[Any] | None) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags or []}
