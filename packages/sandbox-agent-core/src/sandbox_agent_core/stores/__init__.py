"""What is common to everybody who writes or reads a transcript store; nothing of it knows which store."""
