"""For the tests of those who implement our interfaces; needs the extra `[testing]`."""
