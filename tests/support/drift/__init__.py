"""What a newer version of an agent does differently: collected by the tests, compared, told to a person."""
