"""One run in its folder: begun, trained, saved, gone on with. Only this room writes there."""
