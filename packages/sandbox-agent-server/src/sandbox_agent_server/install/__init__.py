"""Installs agents from an npm registry, or from a directory without any network; knows no session."""
