"""What an application under test asks through, in place of a vendor's server: the calls that it makes are a case's."""
