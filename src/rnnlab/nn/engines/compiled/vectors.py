"""A register's worth of numbers, and formulas of them that become loops over arrays.

A formula is a Python function of vectors, called once while a kernel is compiled: its arithmetic
adds LLVM's instructions instead of computing. A vector has 64 bytes whatever a register holds, so
what is summed in one does not depend on the processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BYTES = 64
INDEX = ir.IntType(64)


class Lanes:
    """The vectors of one scalar type, at the place in a function where instructions are added."""

    def __init__(self, context: Any, builder: Any, scalar: types.Float) -> None:
        self.builder, self.bits = builder, scalar.bitwidth
        self.count = BYTES * 8 // self.bits
        self.scalar = context.get_value_type(scalar)
        self.type = ir.VectorType(self.scalar, self.count)
        self.whole_numbers = ir.VectorType(ir.IntType(self.bits), self.count)

    def number(self, x: float) -> Vector:
        """x in every place."""
        return Vector(self, ir.Constant(self.type, [ir.Constant(self.scalar, x)] * self.count))

    def spread(self, scalar: Any) -> Vector:
        """A scalar that is computed, in every place."""
        nothing = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(nothing, scalar, INDEX(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.count), [0] * self.count)
        return Vector(self, self.builder.shuffle_vector(first, nothing, zeros))

    def load(self, pointer: Any) -> Vector:
        value = self.builder.load(self.builder.bitcast(pointer, self.type.as_pointer()))
        value.align = self.bits // 8
        return Vector(self, value)

    def store(self, vector: Vector, pointer: Any) -> None:
        place = self.builder.bitcast(pointer, self.type.as_pointer())
        self.builder.store(vector.value, place).align = self.bits // 8

    def call(self, name: str, *given: Vector) -> Vector:
        """LLVM's intrinsic of that name."""
        kind = ir.FunctionType(self.type, [self.type] * len(given))
        whole = f"llvm.{name}.v{self.count}f{self.bits}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, whole)
        return Vector(self, self.builder.call(function, [x.value for x in given]))


class Vector:
    """A value of a formula; numbers among its operands stand in every place."""

    def __init__(self, lanes: Lanes, value: Any) -> None:
        self.lanes, self.value = lanes, value

    def like(self, other: Vector | float) -> Vector:
        return other if isinstance(other, Vector) else self.lanes.number(other)

    def _of(self, instruction: str, left: Vector, right: Vector) -> Vector:
        add = getattr(self.lanes.builder, instruction)
        return Vector(self.lanes, add(left.value, right.value))

    def __add__(self, other: Vector | float) -> Vector:
        return self._of("fadd", self, self.like(other))

    def __radd__(self, other: float) -> Vector:
        return self._of("fadd", self.like(other), self)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._of("fsub", self, self.like(other))

    def __rsub__(self, other: float) -> Vector:
        return self._of("fsub", self.like(other), self)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._of("fmul", self, self.like(other))

    def __rmul__(self, other: float) -> Vector:
        return self._of("fmul", self.like(other), self)

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._of("fdiv", self, self.like(other))

    def __neg__(self) -> Vector:
        return Vector(self.lanes, self.lanes.builder.fneg(self.value))

    def turned(self, places: int) -> Vector:
        """In each place the number that is `places` further on, from the end to the beginning."""
        count = self.lanes.count
        return self.mixed(self, [(n + places) % count for n in range(count)])

    def if_true(self, condition: Any, other: Vector) -> Vector:
        """This, or the other one, as a truth says that is one for all places."""
        return Vector(self.lanes, self.lanes.builder.select(condition, self.value, other.value))

    def mixed(self, other: Vector, places: list[int]) -> Vector:
        """In each place the number of this and then of the other that is counted there."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes.count), places)
        return Vector(self.lanes, self.lanes.builder.shuffle_vector(self.value, other.value, mask))

    def where(
        self, comparison: str, bound: Vector | float, then: Vector | float, other: Any
    ) -> Vector:
        """`then` where self COMPARISON bound, and else `other`, as for a NaN."""
        holds = self.lanes.builder.fcmp_ordered(comparison, self.value, self.like(bound).value)
        chosen = self.lanes.builder.select(holds, self.like(then).value, self.like(other).value)
        return Vector(self.lanes, chosen)


def fma(x: Vector, y: Vector | float, z: Vector | float) -> Vector:
    """x y + z, rounded once."""
    return x.lanes.call("fma", x, x.like(y), x.like(z))


def larger(x: Vector, y: Vector) -> Vector:
    return x.where(">", y, x, y)


def address(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Where an array's numbers lie."""
    return context.make_array(array_type)(context, builder, array).data


@intrinsic
def _move(typing: Any, to: Any, i: Any, source: Any, j: Any) -> Any:  # noqa: ARG001
    """to[i : i + w] = source[j : j + w] for the w numbers of a vector, in the order of memory."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        to, i, source, j = given
        lanes = Lanes(context, builder, signature.args[0].dtype)
        to = address(context, builder, signature.args[0], to)
        source = address(context, builder, signature.args[2], source)
        lanes.store(lanes.load(builder.gep(source, [j])), builder.gep(to, [i]))
        return context.get_dummy_value()

    return types.void(to, types.intp, source, types.intp), generate


move: Any = _move  # called without numba's own argument


@intrinsic
def _transpose(typing: Any, to: Any, i: Any, source: Any, j: Any, row: Any) -> Any:  # noqa: ARG001
    """to[i + m w + n] = source[j + n row + m], for the w rows and columns of a vector's length.

    Places and rows that differ in one bit are exchanged, bit by bit.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        to, i, source, j, row = given
        lanes = Lanes(context, builder, signature.args[0].dtype)
        to = address(context, builder, signature.args[0], to)
        source = address(context, builder, signature.args[2], source)
        w, bit = lanes.count, 1
        firsts = [builder.add(j, builder.mul(INDEX(n), row)) for n in range(w)]
        rows = [lanes.load(builder.gep(source, [first])) for first in firsts]
        while bit < w:
            low = [w + n - bit if n & bit else n for n in range(w)]
            high = [w + n if n & bit else n + bit for n in range(w)]
            rows = [
                rows[n - bit].mixed(rows[n], high) if n & bit else rows[n].mixed(rows[n + bit], low)
                for n in range(w)
            ]
            bit *= 2
        for m, vector in enumerate(rows):
            lanes.store(vector, builder.gep(to, [builder.add(i, INDEX(m * w))]))
        return context.get_dummy_value()

    return types.void(to, types.intp, source, types.intp, types.intp), generate


transpose: Any = _transpose


class Operands:
    """A tuple of numba's: contiguous arrays of one size, whole vectors, and numbers."""

    def __init__(self, context: Any, builder: Any, kinds: Any, given: Any) -> None:
        self.builder, self.kinds = builder, [*kinds]
        values = [builder.extract_value(given, n) for n in range(len(self.kinds))]
        first = self.kinds[0]  # which is an array
        self.lanes = Lanes(context, builder, first.dtype)
        self.size = context.make_array(first)(context, builder, values[0]).nitems
        self.places = [
            address(context, builder, kind, value)
            if isinstance(kind, types.Array)
            else self.lanes.spread(value)
            for kind, value in zip(self.kinds, values, strict=True)
        ]

    def load(self, i: Any) -> list[Vector]:
        return [
            place if isinstance(place, Vector) else self.lanes.load(self.builder.gep(place, [i]))
            for place in self.places
        ]

    def store(self, values: Vector | tuple[Vector, ...], i: Any) -> None:
        values = values if isinstance(values, tuple) else (values,)
        for value, place in zip(values, self.places, strict=True):
            self.lanes.store(value, self.builder.gep(place, [i]))

    def each(self) -> Any:
        """A loop over the vectors; gives where each begins."""
        step = INDEX(self.lanes.count)
        return cgutils.for_range_slice(self.builder, INDEX(0), self.size, step, inc=True)


def elementwise(formula: Callable[..., Vector | tuple[Vector, ...]]) -> Any:
    """each(results, operands): the formula of arrays and numbers, element by element.

    An array may be among the results and the operands.
    """

    @intrinsic
    def each(typing: Any, results: Any, operands: Any) -> Any:  # noqa: ARG001
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            results, operands = (
                Operands(context, builder, kinds, own)
                for kinds, own in zip(signature.args, given, strict=True)
            )
            with results.each() as (i, _):
                results.store(formula(*operands.load(i)), i)
            return context.get_dummy_value()

        return types.void(results, operands), generate

    return each


def folded(formula: Callable[..., Vector], fold: Callable[[Vector, Vector], Vector]) -> Any:
    """of(operands): what the formula gives for all elements, folded to one number.

    First vector by vector, then the halves of what is left: an order that depends on nothing.
    """

    @intrinsic
    def of(typing: Any, operands: Any) -> Any:  # noqa: ARG001
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            operands = Operands(context, builder, signature.args[0], given[0])
            lanes = operands.lanes
            kept = cgutils.alloca_once_value(builder, formula(*operands.load(INDEX(0))).value)
            with operands.each() as (i, _), builder.if_then(builder.icmp_signed(">", i, INDEX(0))):
                so_far = Vector(lanes, builder.load(kept))
                builder.store(fold(so_far, formula(*operands.load(i))).value, kept)
            left, count = Vector(lanes, builder.load(kept)), lanes.count
            while count > 1:
                count //= 2
                left = fold(left, left.turned(count))
            return builder.extract_element(left.value, INDEX(0))

        return operands[0].dtype(operands), generate

    return of
