"""Sessions: one log each, one writer each, and everything that happens to them."""
