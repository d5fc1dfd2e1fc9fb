"""The only place that chooses round numbers to divide a range by."""

import math

ROUND = (1.0, 2.0, 5.0, 10.0)
DIGITS = 12
# A span below this leaves no room for a power of ten.
NOTHING = 1e-290


def nice_step(span: float, most: int) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that divides a span into at most so many.

    A span of nothing is divided by one.
    """
    if span <= NOTHING:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * times for times in ROUND if power * times * most >= span * (1 - 1e-9))


def nice_edges(low: float, high: float, most: int, digits: int = DIGITS) -> list[float]:
    """Return round numbers at equal distances, from the last one below to the first one above.

    Written with so many digits, no two of them are alike.
    """
    step = max(nice_step(high - low, most), least_step(max(abs(low), abs(high)), digits))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [tidy(step * place) for place in range(first, max(last, first + 1) + 1)]


def least_step(largest: float, digits: int) -> float:
    """Return the power of ten that still changes the last of so many digits of the largest."""
    if largest <= NOTHING:
        return 0.0
    return float(10.0 ** (math.floor(math.log10(largest)) + 1 - digits))


def tidy(value: float) -> float:
    """Return the value without the noise that arithmetic leaves in its last digits."""
    return float(f"{value:.{DIGITS}g}")
