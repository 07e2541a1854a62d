"""Figures as a reader sees them: never without what they are, intervals in brackets."""

from training.compare.outcome import Estimate

MINUS = "−"


def number(value: float, digits: int = 1) -> str:
    """35.1; thousands are divided by a comma, a minus is a minus."""
    text = f"{abs(value):,.{digits}f}"
    is_zero = float(text.replace(",", "")) == 0
    return f"{MINUS}{text}" if value < 0 and not is_zero else text


def signed(value: float, digits: int = 1) -> str:
    """+0.4, −0.4 or 0.0."""
    text = number(value, digits)
    return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text


def estimate(found: Estimate, digits: int = 1) -> str:
    """35.1 (34.0 to 36.2)."""
    low, high = number(found.low, digits), number(found.high, digits)
    return f"{number(found.value, digits)} ({low} to {high})"


def difference(found: Estimate, digits: int = 1) -> str:
    """+0.4 (−0.2 to +1.0)."""
    low, high = signed(found.low, digits), signed(found.high, digits)
    return f"{signed(found.value, digits)} ({low} to {high})"


def percent(found: Estimate, digits: int = 1) -> str:
    """12.0 % (10.1 to 14.2) of a share between 0 and 1."""
    low, high = (number(100 * end, digits) for end in (found.low, found.high))
    return f"{number(100 * found.value, digits)} % ({low} to {high})"


def p_value(p: float) -> str:
    """0.012, or < 0.001."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def scaled(value: float) -> str:
    """Large figures shortly: 6.0 M, 2.4e14."""
    if value >= 1e12:
        return f"{value:.1e}".replace("e+", "e")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f} {letter}"
    return number(value)
