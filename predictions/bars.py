"""The only place that draws an explanation: a bar a column, longest first, beside its figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from mlservice.lib import charts
from mlservice.lib import schema as schemas

# A page has no room for more; CSV and API have them all.
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Bar:
    """What one column added, signed, and where its bar stands."""

    title: str
    added: str
    is_gain: bool
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Where the prediction begins, the columns that move it, and where zero stands among them."""

    base: str
    bars: list[Bar]
    zero: float

    @property
    def is_flat(self) -> bool:
        return not any(bar.width for bar in self.bars)


def bars_of(explanation: Mapping[str, Any], columns: Mapping[str, Any]) -> Bars:
    """Lay out the largest contributions; what is beyond them stands together in a last bar."""
    falling = sorted(explanation["contributions"].items(), key=lambda pair: -abs(pair[1]))
    told = [(schemas.title_of(name, columns[name]), added) for name, added in falling[:SHOWN]]
    if rest := falling[SHOWN:]:
        told.append((_("All others"), sum(added for _name, added in rest)))
    amounts = [added for _title, added in told]
    scale = charts.Scale(min(0.0, *amounts), max(0.0, *amounts))
    bars = [_bar(title, added, scale) for title, added in told]
    return Bars(schemas.shown(explanation["base"]), bars, scale.place(0))


def _bar(title: str, added: float, scale: charts.Scale) -> Bar:
    x, width = scale.from_zero(added)
    sign = "−" if added < 0 else "+"
    return Bar(title, f"{sign}{schemas.shown(abs(added))}", added >= 0, x, width)
