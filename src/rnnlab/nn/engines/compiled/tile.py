"""The innermost loop of a product: a few rows of some vectors that stay in registers."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba import types
from numba.extending import intrinsic

from rnnlab.nn.engines.compiled.vectors import INDEX, Lanes, Vector, address, fma

# Registers: as many sums as there is room for beside the operands of one term, which are ROWS
# numbers and WIDE vectors. AVX-512 has 32 of one vector each; AVX2's 16 hold half a vector, and
# NEON's 32 a quarter.
ROWS, WIDE = (8, 2) if llvm.get_host_cpu_features().get("avx512f") else (6, 1)


def tile(rows: int, vectors: int) -> Any:
    """tile(C, c, C_row, A, a, A_row, A_term, P, p, K, adds): `rows` rows of C += A P, or C = A P.

    C[c + r C_row + n] += sum over k < K of A[a + r A_row + k A_term] P[p + k W + n] for the W
    numbers n of a vector, and the next vector's K W numbers later in P. K is at least 1.
    """

    @intrinsic
    def product(
        typing: Any,  # noqa: ARG001
        C: Any, c: Any, C_row: Any,  # noqa: ARG001
        A: Any, a: Any, A_row: Any, A_term: Any,  # noqa: ARG001
        P: Any, p: Any, K: Any, adds: Any,  # noqa: ARG001
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            builder.function.attributes.add(
                "noinline"
            )  # it is long: in many places, slow to compile
            C, c, C_row, A, a, A_row, A_term, P, p, K, adds = given
            (C, c), (A, a), (P, p) = (
                (address(context, builder, signature.args[n], given[n]), given[n + 1])
                for n in (0, 3, 7)
            )
            lanes = Lanes(context, builder, signature.args[0].dtype)
            W = INDEX(lanes.count)
            C, A, P = (builder.gep(array, [start]) for array, start in ((C, c), (A, a), (P, p)))
            places = [
                builder.gep(C, [builder.add(builder.mul(INDEX(r), C_row), INDEX(n * lanes.count))])
                for r in range(rows)
                for n in range(vectors)
            ]
            zero = lanes.number(0)
            before = [lanes.load(place).if_true(adds, zero) for place in places]
            entry = builder.block
            loop, end = (builder.append_basic_block(name) for name in ("term", "end"))
            builder.branch(loop)
            builder.position_at_end(loop)
            k, sums = builder.phi(INDEX), [builder.phi(lanes.type) for _ in places]
            right = []
            for n in range(vectors):
                term = builder.add(builder.mul(INDEX(n), K), k)
                right.append(lanes.load(builder.gep(P, [builder.mul(term, W)])))
            after = []
            for r in range(rows):
                term = builder.add(builder.mul(INDEX(r), A_row), builder.mul(k, A_term))
                left = lanes.spread(builder.load(builder.gep(A, [term])))
                own = sums[r * vectors : (r + 1) * vectors]
                after += [fma(left, right[n], Vector(lanes, own[n])) for n in range(vectors)]
            following = builder.add(k, INDEX(1))
            builder.cbranch(builder.icmp_signed("<", following, K), loop, end)
            for phi, first, other in zip(
                [k, *sums],
                [INDEX(0), *(value.value for value in before)],
                [following, *(value.value for value in after)],
                strict=True,
            ):
                phi.add_incoming(first, entry)
                phi.add_incoming(other, loop)
            builder.position_at_end(end)
            for value, place in zip(after, places, strict=True):
                lanes.store(value, place)
            return context.get_dummy_value()

        i = types.intp
        return types.void(C, i, i, A, i, i, i, P, i, i, types.boolean), generate

    return product
