"""A trained model handed on: to torch.nn, or as a page that writes in a browser."""
