"""Draw the pictures of the README: `python assets/draw.py` writes the PNG files beside it."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

FOLDER = Path(__file__).resolve().parent
BLUE, GREEN, SAND, GREY = "#dbe9f6", "#dff0dc", "#f7ecd5", "#eeeeee"
Point = tuple[float, float]


def main() -> None:
    """Write the three pictures."""
    for name, size, draw in (
        ("azure_ml", (9, 4.6), objects),
        ("compute_contexts", (9, 4.2), compute),
        ("azure-identity", (9, 3.9), identity),
    ):
        figure, axes = plt.subplots(figsize=size)
        axes.set(xlim=(0, 90), ylim=(0, size[1] * 10))
        axes.axis("off")
        draw(axes)
        figure.savefig(FOLDER / f"{name}.png", dpi=110, bbox_inches="tight", metadata={})
        plt.close(figure)


def objects(axes: Axes) -> None:
    """What a workspace holds, and which lesson is about it."""
    axes.add_patch(
        FancyBboxPatch((1, 1), 88, 38, boxstyle="round,pad=0,rounding_size=1.5", fc="white", lw=1.5)
    )
    axes.text(45, 42, "Workspace", ha="center", fontsize=14, weight="bold")
    box(axes, (12, 34), "Datastore\nlesson 01", GREEN)
    box(axes, (12, 21), "Dataset\nlesson 01", GREEN)
    box(axes, (12, 8), "Environment\nlesson 03", GREEN)
    box(axes, (36, 21), "Experiment, run\nlessons 04, 05, 09-13", BLUE)
    box(axes, (36, 34), "Pipeline\nlessons 06, 08", BLUE)
    box(axes, (36, 8), "Compute target\nlesson 02", GREEN)
    box(axes, (60, 21), "Model\nlesson 06", SAND)
    box(axes, (78, 34), "Web service\nlesson 07", SAND)
    box(axes, (78, 8), "Monitoring\nlessons 14, 15", SAND)
    arrow(axes, (12, 30.5), (12, 24.5), "describes files of", reverse=True)
    arrow(axes, (21.5, 21), (26, 21))
    arrow(axes, (21.5, 10), (28, 17.5))
    arrow(axes, (36, 11.5), (36, 17.5), "runs it")
    arrow(axes, (36, 30.5), (36, 24.5), "steps are runs")
    arrow(axes, (46, 21), (50.5, 21))
    arrow(axes, (65, 24.5), (73, 30.5))
    arrow(axes, (78, 30.5), (78, 11.5), "telemetry")


def compute(axes: Axes) -> None:
    """Which compute target serves which purpose."""
    rows = (
        ("Try and debug", "this machine", "one process, no cost", GREY),
        ("Train, tune, batch", "AmlCompute cluster", "0 to n nodes, by itself", GREEN),
        ("Test a service", "Container Instance", "small, CPU only", SAND),
        ("Serve in production", "Kubernetes (AKS)", "scales with the load", SAND),
        ("Serve on devices", "IoT Edge", "the model as an image", SAND),
    )
    for number, (purpose, target, remark, color) in enumerate(rows):
        height = 36 - 8 * number
        box(axes, (13, height), purpose, BLUE, width=25, height=6)
        arrow(axes, (26, height), (33, height))
        box(axes, (46, height), target, color, width=25, height=6)
        axes.text(61, height, remark, va="center", fontsize=10)


def identity(axes: Axes) -> None:
    """How a program gets a token, and what it opens."""
    box(axes, (13, 33), "Service principal\nprograms, CI", BLUE)
    box(axes, (13, 20), "az login\nyou, at work", BLUE)
    box(axes, (13, 7), "Managed identity\nmachines on Azure", BLUE)
    box(axes, (43, 20), "Directory\n(Microsoft Entra ID)", SAND)
    box(axes, (70, 27), "Workspace", GREEN)
    box(axes, (70, 7), "Storage account", GREEN)
    for height in (33, 20, 7):
        arrow(axes, (23.5, height), (33, 20 + (height - 20) * 0.12))
    arrow(axes, (53, 21.5), (60, 26))
    axes.text(55.5, 21.5, "token", size=8.5, style="italic")
    arrow(axes, (70, 23.5), (70, 10.5), "key or SAS of a datastore")
    axes.text(70, 33.5, "roles: Owner, Contributor, Reader", ha="center", fontsize=10)


def box(
    axes: Axes, center: Point, text: str, color: str, width: float = 19, height: float = 7
) -> None:
    """A box with a text; the first of two lines is bold."""
    left, bottom = center[0] - width / 2, center[1] - height / 2
    shape = "round,pad=0,rounding_size=1"
    axes.add_patch(FancyBboxPatch((left, bottom), width, height, boxstyle=shape, fc=color, lw=1))
    first, _, second = text.partition("\n")
    shift = 1.4 if second else 0
    axes.text(center[0], center[1] + shift, first, ha="center", va="center", weight="bold", size=10)
    axes.text(center[0], center[1] - 1.7, second, ha="center", va="center", size=9)


def arrow(axes: Axes, start: Point, end: Point, label: str = "", *, reverse: bool = False) -> None:
    """An arrow, with a label to the right of its middle; `reverse` turns its head around."""
    style = {"arrowstyle": "<-" if reverse else "->", "lw": 1.3}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)
    middle = ((start[0] + end[0]) / 2 + 0.8, (start[1] + end[1]) / 2)
    axes.text(*middle, label, va="center", size=8.5, style="italic")


if __name__ == "__main__":
    main()
