"""exp, sigmoid and tanh by arithmetic alone, with their largest errors.

Errors are in units in the last place (ulp), against longer numbers over the whole range
(tests/test_compiled.py). Zeros, infinities and NaN go where torch has them go. Arguments are
reduced as by Cody and Waite 1980: x = k log(2) + r with |r| <= log(2) / 2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from llvmlite import ir

from rnnlab.nn.engines.compiled.vectors import Lanes, Vector, fma


class Format(NamedTuple):
    """What depends on the length of a number."""

    mantissa: int  # bits
    bias: int  # of the exponent
    log2: tuple[float, float]  # log(2) in two parts; whole multiples of the first are exact
    beyond: float  # where exp is 0 or infinite
    flat: float  # where tanh is 1
    # expm1(r) = r + r^2 p(r): interpolated at Chebyshev's points of |r| <= log(2) / 2
    p: tuple[float, ...]


FORMATS = {
    32: Format(
        23, 127, (0.693145751953125, 1.4286068203094173e-06), 104.5, 10,
        (
            0.50000000134658092001, 0.16666666681623231402, 0.041666464925285905408,
            0.0083333109254809008349, 0.001393364999630925043, 0.00019890990824673653848,
        ),
    ),
    64: Format(
        52, 1023, (0.6931471803691238, 1.9082149292705877e-10), 746, 22,
        (
            0.5, 0.16666666666666670991, 0.041666666666666669755, 0.0083333333333261351258,
            0.0013888888888883748305, 0.00019841269874820625271, 0.000024801587325547741216,
            2.755725540020642443e-6, 2.7557273643110295328e-7, 2.5105217004720745164e-8,
            2.0914686968086877233e-9,
        ),
    ),
}  # fmt: skip


def exp(x: Vector) -> Vector:
    """e^x to 1 ulp."""
    beyond, builder = FORMATS[x.lanes.bits].beyond, x.lanes.builder
    within = x.where(">", beyond, beyond, x)
    within = within.where("<", -beyond, 0, within)  # what underflows takes a hundred times as long
    k, expm1_r = _reduced(within)
    half = builder.ashr(k, _whole(x.lanes, 1))  # 2^k itself may be out of range
    low, high = _power_of_two(x.lanes, half), _power_of_two(x.lanes, builder.sub(k, half))
    return x.where("<", -beyond, 0, fma(low, expm1_r, low) * high)


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + e^-x) to 2.3 ulp."""
    e = exp(-x.lanes.call("fabs", x))
    return x.where("<", 0, e, 1) / (1 + e)


def tanh(x: Vector) -> Vector:
    """-expm1(-2 |x|) / (2 + expm1(-2 |x|)), with the sign of x, to 2.5 ulp."""
    flat, size = FORMATS[x.lanes.bits].flat, x.lanes.call("fabs", x)
    k, expm1_r = _reduced(-2 * size.where(">", flat, flat, size))
    power = _power_of_two(x.lanes, k)
    e = fma(power, expm1_r, power - 1)
    return x.lanes.call("copysign", -e / (2 + e), x)


def _reduced(x: Vector) -> tuple[Any, Vector]:
    """k, and expm1(r)."""
    form, builder, whole = FORMATS[x.lanes.bits], x.lanes.builder, x.lanes.whole_numbers
    rounding = x.like(1.5 * 2.0**form.mantissa)  # added to a number, its last bits are whole
    moved = fma(x, 1 / math.log(2), rounding)
    k = moved - rounding
    r = fma(-k, form.log2[1], fma(-k, form.log2[0], x))
    p = x.like(form.p[-1])
    for coefficient in reversed(form.p[:-1]):
        p = fma(r, p, coefficient)
    k_whole = builder.sub(
        builder.bitcast(moved.value, whole), builder.bitcast(rounding.value, whole)
    )
    return k_whole, fma(r * r, p, r)


def _power_of_two(lanes: Lanes, k: Any) -> Vector:
    """2^k, by its exponent."""
    form, builder = FORMATS[lanes.bits], lanes.builder
    exponent = builder.add(k, _whole(lanes, form.bias))
    bits = builder.shl(exponent, _whole(lanes, form.mantissa))
    return Vector(lanes, builder.bitcast(bits, lanes.type))


def _whole(lanes: Lanes, number: int) -> Any:
    return ir.Constant(lanes.whole_numbers, [number] * lanes.count)
