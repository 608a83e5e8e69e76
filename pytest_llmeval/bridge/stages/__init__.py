"""The stages between the start of a session and its first case; the conductor calls them."""
