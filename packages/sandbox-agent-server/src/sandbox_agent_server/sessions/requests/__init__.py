"""What an agent asks a person: policy first, then a person, then the deadline."""
