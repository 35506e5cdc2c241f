"""Loss and gradients by hand, compiled for this processor: the engine `compiled`.

From the innermost outward: `vectors` and `functions` are arithmetic on a register's worth of
numbers, `tile` and `products` matrix products, `cells` each cell's passes over time, `output` the
loss, `network` the whole. What is compiled is kept on the disk (_common/kernel.py).

No sum depends on how the work is divided: an element of a product is one chain of fused
multiplications and additions, in the order of its terms, and every other sum is of a fixed number
of parts. So the bits are the same on one thread and on eight, for a lane alone and in a stack, and
with registers of any length.
"""
