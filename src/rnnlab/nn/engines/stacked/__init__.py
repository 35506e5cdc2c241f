"""Loss and gradients of a stack of lanes by hand, without autograd."""
