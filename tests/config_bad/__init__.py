"""One configuration per mistake, and beside it the exact message that it gets."""
