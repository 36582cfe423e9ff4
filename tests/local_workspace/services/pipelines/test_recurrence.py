"""When schedules fire, by the SDK's ScheduleRecurrence."""

from datetime import datetime, timezone

import pytest

from local_workspace.errors import BadRequest
from local_workspace.services.pipelines.recurrence import recurrence_of

# A Thursday.
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=timezone.utc)


def moment(*parts):
    return datetime(*parts, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("document", "first", "second"),
    [
        ({"Frequency": "Minute", "Interval": 15}, NOW, moment(2026, 11, 26, 12, 15)),
        (
            {"Frequency": "Day", "Interval": 1, "StartTime": "2026-12-01T08:00:00"},
            moment(2026, 12, 1, 8),
            moment(2026, 12, 2, 8),
        ),
        # A start that has passed waits for the next moment; the zone is one of Windows.
        (
            {
                "Frequency": "Day",
                "Interval": 2,
                "StartTime": "2026-11-20T08:00:00",
                "TimeZone": "W. Europe Standard Time",
            },
            moment(2026, 11, 28, 7),
            moment(2026, 11, 30, 7),
        ),
        (
            {
                "Frequency": "Week",
                "Interval": 1,
                "StartTime": "2026-11-30T06:30:00",
                "Schedule": {"WeekDays": ["Monday", "Friday"], "Hours": [6], "Minutes": [30]},
            },
            # A start that fits into the pattern waits for the next one.
            moment(2026, 12, 4, 6, 30),
            moment(2026, 12, 7, 6, 30),
        ),
        # As many minutes as there are in two thousand years are not counted one by one.
        (
            {"Frequency": "Minute", "Interval": 7, "StartTime": "0026-11-26T12:00:00"},
            moment(2026, 11, 26, 12, 7),
            moment(2026, 11, 26, 12, 14),
        ),
        # There is no 31st in February.
        (
            {"Frequency": "Month", "Interval": 1, "StartTime": "2027-01-31T00:00:00"},
            moment(2027, 1, 31),
            moment(2027, 3, 31),
        ),
    ],
)
def test_moments(document, first, second):
    recurrence = recurrence_of(document)
    assert recurrence.first(NOW) == first
    assert recurrence.after(first, NOW) == second


def test_the_time_of_day_stays_when_the_clocks_change():
    recurrence = recurrence_of(
        {
            "Frequency": "Day",
            "Interval": 1,
            "StartTime": "2026-10-24T08:00:00",
            "TimeZone": "W. Europe Standard Time",
        }
    )
    before = recurrence.after(moment(2026, 10, 23), NOW)
    assert before == moment(2026, 10, 24, 6)
    assert recurrence.after(before, NOW) == moment(2026, 10, 25, 7)


@pytest.mark.parametrize("when", [moment(2026, 12, 1, 12, 0, 1), moment(2026, 10, 25, 1, 10, 1)])
def test_minutes_pass_evenly_when_the_clocks_change(when):
    recurrence = recurrence_of(
        {
            "Frequency": "Minute",
            "Interval": 5,
            "StartTime": "2026-07-01T00:00:00",
            "TimeZone": "GMT Standard Time",
        }
    )
    following = recurrence.after(when, NOW)
    assert 0 < (following - when).total_seconds() <= 300


def test_minutes_have_no_pattern():
    document = {"Frequency": "Minute", "Interval": 1, "Schedule": {"Hours": [3]}}
    with pytest.raises(BadRequest, match="belong to the frequencies Day and Week"):
        recurrence_of(document).after(NOW, NOW)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "needs a 'Recurrence'"),
        ({"Frequency": "Year", "Interval": 1}, "'Frequency' is one of"),
        ({"Frequency": "Day", "Interval": 0}, "'Interval' must be"),
        ({"Frequency": "Day", "Interval": 10**15}, "'Interval' must be"),
        ({"Frequency": "Day", "Interval": 1, "TimeZone": "Nowhere"}, "no time zone 'Nowhere'"),
        ({"Frequency": "Day", "Interval": 1, "StartTime": "soon"}, "'StartTime'"),
        ({"Frequency": "Day", "Interval": 1, "Schedule": {"Hours": [24]}}, "'Hours'"),
        ({"Frequency": "Week", "Interval": 1, "Schedule": {"WeekDays": ["Funday"]}}, "no day of"),
    ],
)
def test_what_is_no_recurrence(document, words):
    with pytest.raises(BadRequest, match=words):
        recurrence_of(document)
