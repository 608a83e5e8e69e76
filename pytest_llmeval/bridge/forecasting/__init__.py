"""What a session will take, said before it is spent."""
