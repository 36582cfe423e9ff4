"""When a schedule fires: the SDK's ScheduleRecurrence, by the rules of calendars (dateutil)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import parser as dates
from dateutil import rrule
from tzlocal.windows_tz import win_tz

from local_workspace.clock import as_utc
from local_workspace.errors import BadRequest
from local_workspace.fields import cut, list_of, object_of

_FREQUENCIES = {
    "minute": rrule.MINUTELY,
    "hour": rrule.HOURLY,
    "day": rrule.DAILY,
    "week": rrule.WEEKLY,
    "month": rrule.MONTHLY,
}
# Months have no length of their own, and are few.
_UNITS = {
    rrule.MINUTELY: timedelta(minutes=1),
    rrule.HOURLY: timedelta(hours=1),
    rrule.DAILY: timedelta(days=1),
    rrule.WEEKLY: timedelta(weeks=1),
}
_OF_THE_CLOCK = (rrule.MINUTELY, rrule.HOURLY)
# More than a lifetime of the longest unit there is a name for would not help anybody.
_LONGEST_INTERVAL = 100_000
_WEEK_DAYS = {
    "monday": rrule.MO,
    "tuesday": rrule.TU,
    "wednesday": rrule.WE,
    "thursday": rrule.TH,
    "friday": rrule.FR,
    "saturday": rrule.SA,
    "sunday": rrule.SU,
}


@dataclass(frozen=True)
class Recurrence:
    """Every `interval` minutes, hours, days, weeks or months (`frequency`, of dateutil).

    start: when it begins, with its zone; None: at once. Hours, minutes and week days are a pattern
    that moments have to fit into.
    """

    frequency: int
    interval: int
    start: datetime | None
    zone: tzinfo
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    week_days: tuple[Any, ...] = ()

    @property
    def has_pattern(self) -> bool:
        """Whether moments have to fit into a pattern."""
        return bool(self.hours or self.minutes or self.week_days)

    def first(self, made: datetime) -> datetime:
        """The first moment of a schedule that is made at `made`.

        Source: the docstring of ScheduleRecurrence: without a start the first run comes at once;
        a start that has passed, or that fits into the pattern, waits for the next moment.
        """
        if self.start is None:
            return made
        if self.start > made and not self.has_pattern:
            return self.start
        return self.after(max(made, self.start), made)

    def after(self, moment: datetime, made: datetime) -> datetime:
        """The next moment after `moment`, of a schedule that was made at `made`."""
        if self.has_pattern and self.frequency in _OF_THE_CLOCK:
            raise BadRequest("Hours, minutes and week days belong to the frequencies Day and Week.")
        begin = (self.start or made).astimezone(self.zone).replace(microsecond=0)
        if self.frequency in _OF_THE_CLOCK:
            # Minutes and hours pass evenly, whatever clocks are set to.
            begin = as_utc(begin)
            step = _UNITS[self.frequency] * self.interval
            return begin + max((as_utc(moment) - begin) // step + 1, 0) * step
        rule: dict[str, Any] = {}
        if self.hours or self.minutes:
            # A pattern says all of the time of day.
            rule.update(
                byhour=self.hours or (begin.hour,), byminute=self.minutes or (0,), bysecond=0
            )
        if self.week_days:
            rule["byweekday"] = self.week_days
        frequency = self.frequency
        begin = self._not_long_before(moment, begin)
        found = rrule.rrule(frequency, dtstart=begin, interval=self.interval, **rule).after(
            moment.astimezone(self.zone)
        )
        if found is None:
            raise BadRequest("The recurrence has no next moment.")
        return found.astimezone(timezone.utc)

    def _not_long_before(self, moment: datetime, begin: datetime) -> datetime:
        """A moment of the same rule as `begin` from which it is not far to `moment`.

        A rule looks at all of its moments from its beginning on: minutes of ten years are many.
        """
        unit = _UNITS.get(self.frequency)
        if unit is None:
            return begin
        passed = (moment - begin) // (unit * self.interval) - 2
        return begin + max(passed, 0) * unit * self.interval


def recurrence_of(document: Any) -> Recurrence:
    """The SDK's Recurrence as a value. Raises BadRequest, which names the field."""
    if not isinstance(document, Mapping):
        raise BadRequest("A schedule needs a 'Recurrence', or a datastore whose changes start it.")
    frequency = _FREQUENCIES.get(str(document.get("Frequency")).lower())
    if frequency is None:
        raise BadRequest(
            f"'Frequency' is one of Minute, Hour, Day, Week and Month, not "
            f"{document.get('Frequency')!r}."
        )
    interval = document.get("Interval")
    if type(interval) is not int or not 1 <= interval <= _LONGEST_INTERVAL:
        raise BadRequest(
            f"'Interval' must be a whole number from 1 to {_LONGEST_INTERVAL}, not "
            f"{cut(repr(interval))}."
        )
    zone = _zone(document.get("TimeZone"))
    pattern = object_of(document, "Schedule")
    return Recurrence(
        frequency,
        interval,
        _start(document.get("StartTime"), zone),
        zone,
        _numbers(pattern, "Hours", 23),
        _numbers(pattern, "Minutes", 59),
        tuple(_week_day(name) for name in list_of(pattern, "WeekDays")),
    )


def _zone(name: Any) -> tzinfo:
    if not name:
        return timezone.utc
    try:
        # The SDK has the names that Windows has for time zones.
        return ZoneInfo(win_tz.get(str(name), str(name)))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadRequest(f"There is no time zone '{name}'.") from error


def _start(text: Any, zone: tzinfo) -> datetime | None:
    if not text:
        return None
    try:
        found = dates.isoparse(str(text))
        found = found if found.tzinfo else found.replace(tzinfo=zone)
        # Within the years that calendars can count in any zone.
        as_utc(found - timedelta(days=1))
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"'StartTime' must be a date and time in ISO 8601: {cut(repr(text))}."
        ) from (error)
    return found


def _numbers(pattern: Mapping[str, Any], name: str, most: int) -> tuple[int, ...]:
    found = list_of(pattern, name)
    if not all(type(one) is int and 0 <= one <= most for one in found):
        raise BadRequest(f"'{name}' has whole numbers from 0 to {most}, not {found!r}.")
    return tuple(found)


def _week_day(name: Any) -> Any:
    try:
        return _WEEK_DAYS[str(name).lower()]
    except KeyError as error:
        raise BadRequest(f"'{name}' is no day of the week.") from error


def polling_interval_of(document: Mapping[str, Any]) -> timedelta:
    """How often a datastore is looked at: minutes, 5 unless said. Raises BadRequest."""
    minutes = document.get("PollingInterval") or 5
    if type(minutes) is not int or not 1 <= minutes <= _LONGEST_INTERVAL:
        raise BadRequest(
            f"'PollingInterval' must be a number of minutes, not {cut(repr(minutes))}."
        )
    return timedelta(minutes=minutes)
