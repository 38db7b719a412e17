"""Container images: their layers in order, and what the upper ones hide of the lower ones."""
