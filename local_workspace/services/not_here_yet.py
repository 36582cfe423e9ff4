"""Services that the SDK asks for and that are not here yet.

Their requests are answered with 404 and what is missing, instead of being taken for blobs. A
service that comes takes its line along.
"""

from __future__ import annotations

from local_workspace.service import Service


def _planned(
    name: str,
    title: str,
    in_the_sdk: str,
    prefixes: tuple[str, ...] = (),
    discovery: tuple[str, ...] = (),
) -> Service:
    return Service(
        name=name,
        title=title,
        prefixes=prefixes,
        discovery=dict.fromkeys(discovery, ""),
        not_yet=((title, in_the_sdk),),
    )


SERVICES_NOT_HERE_YET = (
    _planned(
        "serving",
        "Web services, inference, local and remote deployment",
        "`Model.deploy`, `Webservice`",
    ),
    _planned(
        "hyperdrive",
        "Hyperparameter tuning",
        "`HyperDriveConfig`",
        prefixes=("hyperdrive",),
        discovery=("hyperdrive",),
    ),
    _planned("jasmine", "Automated ML", "`AutoMLConfig`", prefixes=("jasmine",)),
    _planned("telemetry", "Monitoring of web services", "`enable_app_insights`"),
    _planned(
        "datadrift",
        "Data drift",
        "`DataDriftDetector`",
        prefixes=("datadrift", "datadriftmanager"),
    ),
)
