"""What pages show as code is run, or says why it cannot be run here."""
