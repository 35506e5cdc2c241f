"""Loss and gradients by hand, compiled for this processor: the engine `compiled`.

From the innermost outward: `vectors` and `functions` are arithmetic on a register's worth of
numbers, `tile` and `products` matrix products, `cells` each cell's passes over time, `edges` what
stands around them, `passes` a minibatch's rows there and back in one call; `blocks` says which
rows, `buffers` what they need, `network` trains a stack of lanes with a `crew` of threads, and
`update` moves parameters. What is compiled is kept on the disk (_common/kernel.py).

No sum depends on how the work is divided: an element of a product is one chain of fused
multiplications and additions, in the order of its terms, and every other sum is of a number of
parts that the minibatch's own sizes say. So the bits are the same on one thread and on eight, for a
lane alone and in a stack, and with registers of any length.
"""
