"""Line charts as SVG: where each point comes to lie."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28
# More points than the chart has columns of pixels cannot be told apart.
_MOST_POINTS = 2 * (WIDTH - _LEFT - _RIGHT)
_TICKS = 4


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in the units of the drawing."""

    place: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A line chart: the lines (each the `points` of a polyline), single points, and the axes."""

    lines: list[str]
    dots: list[tuple[float, float]]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_label: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def line_chart(points: Sequence[tuple[float, float]], x_label: str) -> Chart | None:
    """The chart of (x, y) in the order of x; None when no y is a finite number.

    A y that is not finite interrupts the line.
    """
    finite = [(x, y) for x, y in points if math.isfinite(y)]
    if not finite:
        return None
    x_low, x_high = _spread(finite[0][0], finite[-1][0])
    y_low, y_high = _spread(min(y for _, y in finite), max(y for _, y in finite))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x / 2 - x_low / 2) / (x_high / 2 - x_low / 2)
        # Halved, because the difference of the largest doubles would be infinite.
        up = (y / 2 - y_low / 2) / (y_high / 2 - y_low / 2)
        return (
            round(_LEFT + across * (WIDTH - _LEFT - _RIGHT), 1),
            round(HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM), 1),
        )

    parts: list[list[tuple[float, float]]] = [[]]
    for x, y in _thinned(points):
        if math.isfinite(y):
            parts[-1].append(place(x, y))
        elif parts[-1]:
            parts.append([])
    return Chart(
        lines=[" ".join(f"{x},{y}" for x, y in part) for part in parts if len(part) > 1],
        dots=[part[0] for part in parts if len(part) == 1],
        x_ticks=[
            Tick(place(x, y_low)[0], f"{x:.6g}")
            for x in dict.fromkeys((finite[0][0], finite[-1][0]))
        ],
        y_ticks=[
            Tick(place(x_low, y)[1], f"{y:.4g}")
            for y in (y_low + (y_high - y_low) * i / _TICKS for i in range(_TICKS + 1))
            if math.isfinite(y)
        ],
        x_label=x_label,
    )


def _spread(low: float, high: float) -> tuple[float, float]:
    if low != high:
        return low, high
    margin = abs(low) * 0.1 or 1.0
    largest = sys.float_info.max
    return max(low - margin, -largest), min(high + margin, largest)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most _MOST_POINTS points with the same outline: of each stretch the least and the most."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    stretch = math.ceil(len(points) / (_MOST_POINTS // 2))
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), stretch):
        part = [point for point in points[start : start + stretch] if math.isfinite(point[1])]
        if not part:
            kept.append(points[start])
            continue
        least = min(part, key=lambda point: point[1])
        most = max(part, key=lambda point: point[1])
        kept += sorted({least, most})
    return kept
